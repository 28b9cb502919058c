package io.lindorm.flink.source;

import java.io.IOException;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/** The form of a split in checkpoints. */
final class KeyRangeSplitSerializer implements SimpleVersionedSerializer<KeyRangeSplit> {

    /** Version 1, of a job that was never published, had no kinds of splits. */
    static final int VERSION = 2;

    @Override
    public int getVersion() {
        return VERSION;
    }

    @Override
    public byte[] serialize(KeyRangeSplit split) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(256);
        write(split, out);
        return out.getCopyOfBuffer();
    }

    @Override
    public KeyRangeSplit deserialize(int version, byte[] serialized) throws IOException {
        if (version != VERSION) {
            throw new IOException("unknown version of a split: " + version);
        }
        return read(new DataInputDeserializer(serialized));
    }

    static void write(KeyRangeSplit split, DataOutputSerializer out) throws IOException {
        out.writeUTF(split.splitId());
        out.writeUTF(split.kind().name());
        out.writeInt(split.key().size());
        for (KeyColumn column : split.key().columns()) {
            out.writeUTF(column.name());
            out.writeUTF(column.type());
            out.writeBoolean(column.descending());
        }
        Key.write(split.lower(), out);
        Key.write(split.upper(), out);
        Key.write(split.lastKey(), out);
        out.writeLong(split.rowsRead());
    }

    static KeyRangeSplit read(DataInputDeserializer in) throws IOException {
        String id = in.readUTF();
        KeyRangeSplit.Kind kind = KeyRangeSplit.Kind.valueOf(in.readUTF());
        int columns = in.readInt();
        KeyColumn[] key = new KeyColumn[columns];
        for (int i = 0; i < columns; i++) {
            key[i] = new KeyColumn(in.readUTF(), in.readUTF(), in.readBoolean());
        }
        KeyRangeSplit stored = new KeyRangeSplit(
                id, kind, PrimaryKey.of(key), Key.read(in), Key.read(in), Key.read(in), in.readLong());
        try {
            return stored.typed();
        } catch (IllegalArgumentException e) {
            throw new IOException("split " + id + " of the checkpoint cannot be read: " + e.getMessage(), e);
        }
    }
}
