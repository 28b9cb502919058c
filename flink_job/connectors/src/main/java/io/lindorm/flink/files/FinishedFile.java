package io.lindorm.flink.files;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/**
 * A file whose last byte is written, and what the manifest says of it.
 *
 * @param object its name, below the folder of the items
 * @param items lines in it
 * @param bytes of them before they were compressed, newlines included
 * @param storedBytes as they are stored
 * @param sha256 of the stored bytes, in hexadecimal
 * @param upload Flink's CommitRecoverable, by which it is published; empty once it is
 */
public record FinishedFile(String object, long items, long bytes, long storedBytes, String sha256, byte[] upload) {

    private static final byte[] NOTHING = {};

    FinishedFile published() {
        return new FinishedFile(object, items, bytes, storedBytes, sha256, NOTHING);
    }

    /** Its form between tasks. */
    public byte[] toBytes() throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(512);
        write(out);
        return out.getCopyOfBuffer();
    }

    /** Reads what {@link #toBytes} gave. */
    public static FinishedFile of(byte[] bytes) throws IOException {
        return read(new DataInputDeserializer(bytes));
    }

    void write(DataOutput out) throws IOException {
        out.writeUTF(object);
        out.writeLong(items);
        out.writeLong(bytes);
        out.writeLong(storedBytes);
        out.writeUTF(sha256);
        out.writeInt(upload.length);
        out.write(upload);
    }

    static FinishedFile read(DataInput in) throws IOException {
        String object = in.readUTF();
        long items = in.readLong();
        long bytes = in.readLong();
        long storedBytes = in.readLong();
        String sha256 = in.readUTF();
        byte[] upload = new byte[in.readInt()];
        in.readFully(upload);
        return new FinishedFile(object, items, bytes, storedBytes, sha256, upload);
    }
}
