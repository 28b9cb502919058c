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
 * @param ends where splits that have been cut now end, by their names
 * @param taken names of the splits that were cut off others and are now the enumerator's to hand out, or
 *     were
 */
record SplitBacklog(boolean planned, List<KeyRangeSplit> pending, Map<String, List<Object>> ends, Set<String> taken) {

    static final SplitBacklog NOT_PLANNED = new SplitBacklog(false, List.of(), Map.of(), Set.of());

    /** The backlog's form in checkpoints. */
    static final class Serializer implements SimpleVersionedSerializer<SplitBacklog> {

        @Override
        public int getVersion() {
            return KeyRangeSplitSerializer.VERSION;
        }

        @Override
        public byte[] serialize(SplitBacklog backlog) throws IOException {
            DataOutputSerializer out = new DataOutputSerializer(1024);
            out.writeBoolean(backlog.planned());
            out.writeInt(backlog.pending().size());
            for (KeyRangeSplit split : backlog.pending()) {
                KeyRangeSplitSerializer.write(split, out);
            }
            out.writeInt(backlog.ends().size());
            for (Map.Entry<String, List<Object>> end : backlog.ends().entrySet()) {
                out.writeUTF(end.getKey());
                KeyValues.write(end.getValue(), out);
            }
            out.writeInt(backlog.taken().size());
            for (String splitId : backlog.taken()) {
                out.writeUTF(splitId);
            }
            return out.getCopyOfBuffer();
        }

        @Override
        public SplitBacklog deserialize(int version, byte[] serialized) throws IOException {
            if (version != KeyRangeSplitSerializer.VERSION) {
                throw new IOException("unknown version of a backlog of splits: " + version);
            }
            DataInputDeserializer in = new DataInputDeserializer(serialized);
            boolean planned = in.readBoolean();
            List<KeyRangeSplit> pending = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                pending.add(KeyRangeSplitSerializer.read(in));
            }
            Map<String, List<Object>> ends = new HashMap<>();
            for (int left = in.readInt(); left > 0; left--) {
                ends.put(in.readUTF(), KeyValues.read(in));
            }
            Set<String> taken = new HashSet<>();
            for (int left = in.readInt(); left > 0; left--) {
                taken.add(in.readUTF());
            }
            return new SplitBacklog(planned, pending, ends, taken);
        }
    }
}
