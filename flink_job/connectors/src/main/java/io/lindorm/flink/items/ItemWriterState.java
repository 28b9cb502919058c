package io.lindorm.flink.items;

import org.apache.flink.connector.base.sink.writer.BufferedRequestState;
import org.apache.flink.connector.base.sink.writer.RequestEntryWrapper;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequest;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * What a writer of items keeps in a checkpoint.
 *
 * @param acknowledged how many items DynamoDB has acknowledged
 * @param waiting the items that it has not
 */
record ItemWriterState(long acknowledged, BufferedRequestState<DynamoDbWriteRequest> waiting) {

    /** The state's form in checkpoints. */
    static final class Serializer implements SimpleVersionedSerializer<ItemWriterState> {

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(ItemWriterState state) throws IOException {
            DataOutputSerializer out = new DataOutputSerializer(4096);
            out.writeLong(state.acknowledged);
            out.writeInt(state.waiting.getBufferedRequestEntries().size());
            for (RequestEntryWrapper<DynamoDbWriteRequest> entry : state.waiting.getBufferedRequestEntries()) {
                ItemSerializer.INSTANCE.serialize(entry.getRequestEntry(), out);
                out.writeLong(entry.getSize());
            }
            return out.getCopyOfBuffer();
        }

        @Override
        public ItemWriterState deserialize(int version, byte[] serialized) throws IOException {
            if (version != 1) {
                throw new IOException("unknown version of a writer's state: " + version);
            }
            DataInputDeserializer in = new DataInputDeserializer(serialized);
            long acknowledged = in.readLong();
            int size = in.readInt();
            List<RequestEntryWrapper<DynamoDbWriteRequest>> waiting = new ArrayList<>(size);
            for (int i = 0; i < size; i++) {
                DynamoDbWriteRequest request = ItemSerializer.INSTANCE.deserialize(in);
                waiting.add(new RequestEntryWrapper<>(request, in.readLong()));
            }
            return new ItemWriterState(acknowledged, new BufferedRequestState<>(waiting));
        }
    }
}
