package io.lindorm.flink.files;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.UUID;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableFsDataOutputStream;
import org.apache.flink.core.fs.RecoverableWriter;
import org.apache.flink.core.io.SimpleVersionedSerialization;

/**
 * A file that is being written: lines of DynamoDB's JSON as one gzip member.
 *
 * <p>In S3 it is a multipart upload, which is no object before it is completed. It is never persisted half-written
 * ({@code RecoverableFsDataOutputStream.persist}): there Flink would put what is less than a part into an object of its
 * own beside it ({@code _…_tmp_…}), which a load would take for items.
 */
public final class ItemFile implements AutoCloseable {

    /** About what DynamoDB's guide wants of an object at most, where items are small ("Best practices for importing"). */
    static final long MAX_ITEMS = 4_000_000;

    /** Bytes of JSON: below the 5 GB that StartBulkPutItems takes of an object, whichever way these are counted. */
    static final long MAX_BYTES = 4L << 30;

    private static final int BUFFER_BYTES = 64 * 1024;

    private final String name;
    private final RecoverableWriter writer;
    private final RecoverableFsDataOutputStream stream;
    private final MessageDigest digest;
    private final Counting counting;
    private final GZIPOutputStream gzip;
    private long items;
    private long bytes;

    private ItemFile(String name, RecoverableWriter writer, RecoverableFsDataOutputStream stream, MessageDigest digest)
            throws IOException {
        this.name = name;
        this.writer = writer;
        this.stream = stream;
        this.digest = digest;
        this.counting = new Counting(new DigestOutputStream(stream, digest));
        this.gzip = new Gzip(counting);
    }

    /** Begins a file of a name that no other has: what an attempt began and did not publish is nobody's. */
    public static ItemFile create(Path folder) throws IOException {
        String name = "items-" + UUID.randomUUID() + ".json.gz";
        RecoverableWriter writer = folder.getFileSystem().createRecoverableWriter();
        return new ItemFile(name, writer, writer.open(new Path(folder, name)), sha256());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** Whether these lines may still go into it. */
    public boolean hasRoomFor(ItemLines lines) {
        return items + lines.items <= MAX_ITEMS && bytes + lines.json.length <= MAX_BYTES;
    }

    /** Writes lines. */
    public void write(ItemLines lines) throws IOException {
        gzip.write(lines.json);
        items += lines.items;
        bytes += lines.json.length;
    }

    /** Ends the file, which is published by {@link ItemFiles} and by nobody else. */
    public FinishedFile finish() throws IOException {
        gzip.finish();
        gzip.flush();
        byte[] upload = SimpleVersionedSerialization.writeVersionAndSerialize(
                writer.getCommitRecoverableSerializer(), stream.closeForCommit().getRecoverable());
        return new FinishedFile(
                name, items, bytes, counting.count, HexFormat.of().formatHex(digest.digest()), upload);
    }

    /** Gives it up; nothing of it is ever published. */
    @Override
    public void close() throws IOException {
        stream.close();
    }

    /** Fast rather than small: the files are read once, and storing them for a day costs next to nothing. */
    private static final class Gzip extends GZIPOutputStream {

        Gzip(OutputStream out) throws IOException {
            super(out, BUFFER_BYTES);
            def.setLevel(Deflater.BEST_SPEED);
        }
    }

    private static final class Counting extends FilterOutputStream {
        private long count;

        Counting(OutputStream out) {
            super(out);
        }

        @Override
        public void write(int b) throws IOException {
            out.write(b);
            count++;
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            out.write(bytes, offset, length);
            count += length;
        }
    }
}
