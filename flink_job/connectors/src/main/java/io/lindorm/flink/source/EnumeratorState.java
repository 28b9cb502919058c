package io.lindorm.flink.source;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/**
 * What the enumerator knows that no reader does.
 *
 * @param planned whether the table has been cut into splits
 * @param pending splits that no reader has
 * @param ends where splits that have been cut now end, by their names; out of a checkpoint they are as it held them, for
 *     only the splits know their columns: {@link PrimaryKey#typed}
 * @param accepted names of the splits that were cut off others and are now the enumerator's to hand out, or
 *     were
 */
record EnumeratorState(boolean planned, List<KeyRangeSplit> pending, Map<String, Key> ends, Set<String> accepted) {

    static final EnumeratorState NOT_PLANNED = new EnumeratorState(false, List.of(), Map.of(), Set.of());

    /** The state's form in checkpoints. */
    static final class Serializer implements SimpleVersionedSerializer<EnumeratorState> {

        @Override
        public int getVersion() {
            return KeyRangeSplitSerializer.VERSION;
        }

        @Override
        public byte[] serialize(EnumeratorState state) throws IOException {
            DataOutputSerializer out = new DataOutputSerializer(1024);
            out.writeBoolean(state.planned());
            out.writeInt(state.pending().size());
            for (KeyRangeSplit split : state.pending()) {
                KeyRangeSplitSerializer.write(split, out);
            }
            out.writeInt(state.ends().size());
            for (Map.Entry<String, Key> end : state.ends().entrySet()) {
                out.writeUTF(end.getKey());
                Key.write(end.getValue(), out);
            }
            out.writeInt(state.accepted().size());
            for (String splitId : state.accepted()) {
                out.writeUTF(splitId);
            }
            return out.getCopyOfBuffer();
        }

        @Override
        public EnumeratorState deserialize(int version, byte[] serialized) throws IOException {
            if (version != KeyRangeSplitSerializer.VERSION) {
                throw new IOException("unknown version of a state of splits: " + version);
            }
            DataInputDeserializer in = new DataInputDeserializer(serialized);
            boolean planned = in.readBoolean();
            List<KeyRangeSplit> pending = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                pending.add(KeyRangeSplitSerializer.read(in));
            }
            Map<String, Key> ends = new HashMap<>();
            for (int left = in.readInt(); left > 0; left--) {
                ends.put(in.readUTF(), Key.read(in));
            }
            Set<String> accepted = new HashSet<>();
            for (int left = in.readInt(); left > 0; left--) {
                accepted.add(in.readUTF());
            }
            return new EnumeratorState(planned, pending, ends, accepted);
        }
    }
}
