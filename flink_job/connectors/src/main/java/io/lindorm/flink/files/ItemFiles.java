package io.lindorm.flink.files;

import io.lindorm.flink.UserError;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableWriter;
import org.apache.flink.core.io.SimpleVersionedSerialization;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * All files of a run: those that wait for a checkpoint to complete, and those that are published. One for the whole
 * job, so that what is published and what the manifest says of it are one decision.
 *
 * <p>A file that has come belongs to the next checkpoint: its lines are those of rows that this checkpoint says are
 * read. When the checkpoint is complete the file is published; until then it is no object, and if the checkpoint never
 * is, the rows are read again into other files and this one is forgotten.
 */
public final class ItemFiles {

    /** Publishing is one request for each file; of hundreds that wait, as after a restart, so many at a time. */
    private static final int THREADS = 16;

    private static final ObjectMapper JSON = new ObjectMapper();

    private record Waiting(long checkpoint, FinishedFile file) {}

    private final Path folder;
    private final int maxObjects;
    private final List<FinishedFile> arrived = new ArrayList<>();
    private final List<Waiting> waiting = new ArrayList<>();
    private final List<FinishedFile> published = new ArrayList<>();

    // Read by metrics, in other threads.
    private volatile long publishedObjects;
    private volatile long publishedBytes;

    /**
     * @param folder where the files are
     * @param maxObjects how many a load takes
     */
    public ItemFiles(Path folder, int maxObjects) {
        this.folder = folder;
        this.maxObjects = maxObjects;
    }

    /**
     * A file has come.
     *
     * @throws UserError that ends the job, where this would be as many as a load takes
     */
    public void add(FinishedFile file) {
        int objects = arrived.size() + waiting.size() + published.size() + 1;
        if (objects >= maxObjects) {
            throw new UserError("the items are in " + objects + " files, and DynamoDB loads no more than " + maxObjects
                    + ": files are closed at every checkpoint, so set job.checkpoint.interval to more, or"
                    + " job.parallelism to less, in a new import");
        }
        arrived.add(file);
    }

    /** A checkpoint is taken: what has come before belongs to it. */
    public void snapshot(long checkpoint, DataOutput out) throws IOException {
        for (FinishedFile file : arrived) {
            waiting.add(new Waiting(checkpoint, file));
        }
        arrived.clear();
        out.writeInt(waiting.size());
        for (Waiting each : waiting) {
            out.writeLong(each.checkpoint);
            each.file.write(out);
        }
        out.writeInt(published.size());
        for (FinishedFile file : published) {
            file.write(out);
        }
    }

    /** Adds what {@link #snapshot} wrote. */
    public void restore(DataInput in) throws IOException {
        for (int i = in.readInt(); i > 0; i--) {
            waiting.add(new Waiting(in.readLong(), FinishedFile.read(in)));
        }
        for (int i = in.readInt(); i > 0; i--) {
            published.add(FinishedFile.read(in));
        }
        count();
    }

    /** A checkpoint is complete: its files, and those of earlier ones, are published. Does nothing where they are. */
    public void publish(long checkpoint) throws IOException {
        List<FinishedFile> due = waiting.stream()
                .filter(each -> each.checkpoint <= checkpoint)
                .map(Waiting::file)
                .toList();
        if (due.isEmpty()) {
            return;
        }
        RecoverableWriter writer = folder.getFileSystem().createRecoverableWriter();
        ExecutorService threads = Executors.newFixedThreadPool(Math.min(THREADS, due.size()));
        try {
            List<Future<?>> uploads = new ArrayList<>();
            for (FinishedFile file : due) {
                uploads.add(threads.submit(() -> {
                    complete(writer, file);
                    return null;
                }));
            }
            for (Future<?> upload : uploads) {
                await(upload);
            }
        } finally {
            threads.shutdownNow();
        }
        waiting.removeIf(each -> each.checkpoint <= checkpoint);
        due.forEach(file -> published.add(file.published()));
        count();
    }

    private static void complete(RecoverableWriter writer, FinishedFile file) throws IOException {
        writer.recoverForCommit(SimpleVersionedSerialization.readVersionAndDeSerialize(
                        writer.getCommitRecoverableSerializer(), file.upload()))
                .commitAfterRecovery();
    }

    private static void await(Future<?> upload) throws IOException {
        try {
            upload.get();
        } catch (ExecutionException e) {
            throw new IOException(
                    "a file of items cannot be published: " + e.getCause().getMessage(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while files are published", e);
        }
    }

    private void count() {
        publishedObjects = published.size();
        publishedBytes = published.stream().mapToLong(FinishedFile::storedBytes).sum();
    }

    /** How many objects are published. */
    public long objects() {
        return publishedObjects;
    }

    /** How many bytes they have as they are stored. */
    public long storedBytes() {
        return publishedBytes;
    }

    /** How many items they hold. */
    public long items() {
        return published.stream().mapToLong(FinishedFile::items).sum();
    }

    /** Writes the manifest, the same bytes for the same files, and says in {@code result} what the files are. */
    public void writeManifest(Path path, ObjectNode result) throws IOException {
        StringBuilder lines = new StringBuilder();
        published.stream().sorted(Comparator.comparing(FinishedFile::object)).forEach(file -> {
            ObjectNode line = JSON.createObjectNode();
            line.put("object", file.object());
            line.put("items", file.items());
            line.put("bytes", file.bytes());
            line.put("storedBytes", file.storedBytes());
            line.put("sha256", file.sha256());
            lines.append(line).append('\n');
        });
        byte[] manifest = lines.toString().getBytes(StandardCharsets.UTF_8);
        SmallFile.write(path, manifest);
        result.put("items", folder.toString().endsWith("/") ? folder.toString() : folder + "/");
        result.put("objects", publishedObjects);
        result.put("bytes", published.stream().mapToLong(FinishedFile::bytes).sum());
        result.put("storedBytes", publishedBytes);
        ObjectNode told = result.putObject("manifest");
        told.put("path", path.toString());
        told.put("bytes", manifest.length);
        told.put("sha256", sha256(manifest));
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
