package io.lindorm.flink.source;

import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * What the enumerator has not handed out yet.
 *
 * @param planned whether the table has been cut into splits
 * @param pending splits that no reader has
 */
record SplitBacklog(boolean planned, List<KeyRangeSplit> pending) {

    static final SplitBacklog NOT_PLANNED = new SplitBacklog(false, List.of());

    /** The backlog's form in checkpoints. */
    static final class Serializer implements SimpleVersionedSerializer<SplitBacklog> {

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(SplitBacklog backlog) throws IOException {
            DataOutputSerializer out = new DataOutputSerializer(1024);
            out.writeBoolean(backlog.planned());
            out.writeInt(backlog.pending().size());
            for (KeyRangeSplit split : backlog.pending()) {
                KeyRangeSplitSerializer.write(split, out);
            }
            return out.getCopyOfBuffer();
        }

        @Override
        public SplitBacklog deserialize(int version, byte[] serialized) throws IOException {
            if (version != 1) {
                throw new IOException("unknown version of a backlog of splits: " + version);
            }
            DataInputDeserializer in = new DataInputDeserializer(serialized);
            boolean planned = in.readBoolean();
            int size = in.readInt();
            List<KeyRangeSplit> pending = new ArrayList<>(size);
            for (int i = 0; i < size; i++) {
                pending.add(KeyRangeSplitSerializer.read(in));
            }
            return new SplitBacklog(planned, pending);
        }
    }
}
