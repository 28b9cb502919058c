package io.lindorm.flink.items;

import io.lindorm.flink.UserError;
import io.lindorm.flink.files.FinishedFile;
import io.lindorm.flink.files.ItemFiles;
import io.lindorm.flink.files.SmallFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableFsDataOutputStream;
import org.apache.flink.core.fs.RecoverableWriter;
import org.apache.flink.core.io.SimpleVersionedSerialization;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * The operator {@code outcome}, one for the whole job: writes rejected rows to files, publishes files of items where the
 * job writes these, and in the end writes the result.
 *
 * <p>A two-phase commit with Flink's checkpoints. At a checkpoint the file of rejects is closed but not
 * published; when the checkpoint is complete it is published. The result is written when a checkpoint is
 * complete that was taken after the end of input, and after the rejects of that checkpoint are published.
 * The end of input comes from each task only after its writer has had every item acknowledged, so the
 * result exists only if all is done. A restart from that very checkpoint publishes and writes what a
 * failure prevented; doing so twice leaves the same files.
 *
 * <p>This is an operator and not Flink's FileSink and a Sink with a committer, for two reasons: one place
 * must commit rejects before the result; and Flink 1.20.0's committer commits what the end of input
 * brought with any checkpoint that completes after it, and cannot be restored from the last checkpoint
 * (FLINK-25920).
 */
final class OutcomeOperator extends AbstractStreamOperator<Outcome>
        implements OneInputStreamOperator<Outcome, Outcome>, BoundedOneInput {

    private static final long serialVersionUID = 1L;
    private static final int STATE_VERSION = 1;
    private static final int STATE_VERSION_WITH_FILES = 2;
    private static final long NONE = -1;

    private final JobConfig config;

    private transient Counts counts;
    /** Null where the job writes to DynamoDB itself. */
    private transient ItemFiles files;

    private transient long rejects;
    /** When the input ended, in milliseconds since the epoch; 0 before. */
    private transient long endedAt;
    /** The end of input is in this checkpoint and those after it, or {@link #NONE}. */
    private transient long endedInCheckpoint;

    private transient RecoverableFsDataOutputStream open;
    private transient List<Unpublished> unpublished;
    private transient ListState<byte[]> state;

    /** A closed file of rejects that waits for a checkpoint to complete. */
    private record Unpublished(long checkpoint, RecoverableWriter.CommitRecoverable file) {}

    OutcomeOperator(JobConfig config) {
        this.config = config;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        counts = new Counts();
        JobConfig.Load load = config.load();
        files = load == null ? null : new ItemFiles(new Path(load.items()), load.maxObjects());
        unpublished = new ArrayList<>();
        endedInCheckpoint = NONE;
        state = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>("outcome", BytePrimitiveArraySerializer.INSTANCE));
        for (byte[] restored : state.get()) {
            restore(restored);
        }
        if (context.isRestored()) {
            // The checkpoint is complete, or nobody would restore it: all that it promised is due.
            endedInCheckpoint = endedAt > 0 ? 0 : NONE;
            commit(Long.MAX_VALUE);
        }
    }

    @Override
    public void open() throws Exception {
        super.open();
        if (files != null) {
            getMetricGroup().gauge("objects", files::objects);
            getMetricGroup().gauge("storedBytes", files::storedBytes);
        }
    }

    @Override
    public void processElement(StreamRecord<Outcome> element) throws Exception {
        Outcome outcome = element.getValue();
        if (outcome.counts != null) {
            counts.add(outcome.counts);
            return;
        }
        if (outcome.file != null) {
            try {
                files.add(FinishedFile.of(outcome.file));
            } catch (UserError e) {
                throw e.endingTheJob();
            }
            return;
        }
        rejects++;
        if (open == null) {
            // A name of its own each time: what an attempt wrote and did not publish is nobody's.
            open = rejectsWriter().open(new Path(config.rejects().path(), "rejects-" + UUID.randomUUID() + ".jsonl"));
        }
        open.write((outcome.line + "\n").getBytes(StandardCharsets.UTF_8));
        if (rejects > config.rejects().max()) {
            // No checkpoint will publish these any more, and the user needs them to see what is wrong.
            open.closeForCommit().commit();
            open = null;
            throw new UserError("more than " + config.rejects().max() + " rows were rejected, the most that rejects.max"
                            + " allows; they are in " + config.rejects().path() + ", the last of them: "
                            + Values.abbreviatedTo(outcome.line, 1000))
                    .endingTheJob();
        }
    }

    @Override
    public void endInput() {
        if (endedAt == 0) {
            endedAt = System.currentTimeMillis();
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        if (open != null) {
            unpublished.add(new Unpublished(
                    context.getCheckpointId(), open.closeForCommit().getRecoverable()));
            open = null;
        }
        if (endedAt > 0 && endedInCheckpoint == NONE) {
            endedInCheckpoint = context.getCheckpointId();
        }
        state.update(List.of(snapshot(context.getCheckpointId())));
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) throws Exception {
        super.notifyCheckpointComplete(checkpointId);
        commit(checkpointId);
    }

    private void commit(long checkpointId) throws IOException {
        for (Unpublished file : List.copyOf(unpublished)) {
            if (file.checkpoint <= checkpointId) {
                // Does nothing where the file is there already.
                rejectsWriter().recoverForCommit(file.file).commitAfterRecovery();
                unpublished.remove(file);
            }
        }
        if (files != null) {
            files.publish(checkpointId);
        }
        if (endedInCheckpoint != NONE && checkpointId >= endedInCheckpoint) {
            writeResult();
        }
    }

    private RecoverableWriter rejectsWriter() throws IOException {
        return new Path(config.rejects().path()).getFileSystem().createRecoverableWriter();
    }

    private void writeResult() throws IOException {
        if (counts.rowsRead() != counts.itemsEmitted() + counts.rowsRejected() || counts.rowsRejected() != rejects) {
            throw new IllegalStateException("rows read, items and rejects do not add up: " + counts.rowsRead() + ", "
                    + counts.itemsEmitted() + ", " + counts.rowsRejected() + " (" + rejects + ")");
        }
        if (files != null && files.items() != counts.itemsEmitted()) {
            throw new IllegalStateException("items and those in published files do not add up: " + counts.itemsEmitted()
                    + ", " + files.items());
        }
        ObjectNode result = new ObjectMapper().createObjectNode();
        result.put("version", config.version());
        result.put("runId", config.imported().runId());
        result.put("rowsRead", counts.rowsRead());
        result.put("itemsWritten", counts.itemsEmitted());
        result.put("rowsRejected", counts.rowsRejected());
        ObjectNode reasons = result.putObject("rejectedByReason");
        for (Map.Entry<RejectReason, Long> reason : counts.rejectedByReason().entrySet()) {
            reasons.put(reason.getKey().name(), reason.getValue());
        }
        result.put("finishedAt", Instant.ofEpochMilli(endedAt).toString());
        if (files != null) {
            files.writeManifest(new Path(config.load().manifest()), result.putObject("files"));
        }
        SmallFile.write(new Path(config.result().path()), (result + "\n").getBytes(StandardCharsets.UTF_8));
        LOG.info("The import is complete: {}", result);
    }

    private byte[] snapshot(long checkpointId) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(256);
        out.writeInt(files == null ? STATE_VERSION : STATE_VERSION_WITH_FILES);
        counts.write(out);
        out.writeLong(rejects);
        out.writeLong(endedAt);
        out.writeInt(unpublished.size());
        for (Unpublished file : unpublished) {
            out.writeLong(file.checkpoint);
            byte[] bytes = SimpleVersionedSerialization.writeVersionAndSerialize(
                    rejectsWriter().getCommitRecoverableSerializer(), file.file);
            out.writeInt(bytes.length);
            out.write(bytes);
        }
        if (files != null) {
            files.snapshot(checkpointId, out);
        }
        return out.getCopyOfBuffer();
    }

    private void restore(byte[] bytes) throws IOException {
        DataInputDeserializer in = new DataInputDeserializer(bytes);
        int version = in.readInt();
        if (version != (files == null ? STATE_VERSION : STATE_VERSION_WITH_FILES)) {
            throw new IOException("unknown version of the outcome's state: " + version);
        }
        counts.add(in);
        rejects = in.readLong();
        endedAt = in.readLong();
        for (int i = in.readInt(); i > 0; i--) {
            long checkpoint = in.readLong();
            byte[] file = new byte[in.readInt()];
            in.readFully(file);
            unpublished.add(new Unpublished(
                    checkpoint,
                    SimpleVersionedSerialization.readVersionAndDeSerialize(
                            rejectsWriter().getCommitRecoverableSerializer(), file)));
        }
        if (files != null) {
            files.restore(in);
        }
    }

    @Override
    public void close() throws Exception {
        if (open != null) {
            open.close();
        }
        super.close();
    }
}
