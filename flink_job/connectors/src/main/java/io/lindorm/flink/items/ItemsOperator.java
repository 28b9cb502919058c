package io.lindorm.flink.items;

import io.lindorm.flink.UserError;
import io.lindorm.flink.dynamodb.Item;
import io.lindorm.flink.dynamodb.ItemWriter;
import io.lindorm.flink.dynamodb.RateShare;
import io.lindorm.flink.dynamodb.RateShares;
import io.lindorm.flink.dynamodb.Target;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.runtime.taskexecutor.GlobalAggregateManager;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/**
 * The operator {@code items}: makes of each row an item, which it writes, or a reject, and counts.
 *
 * <p>A checkpoint holds the counts and the items that DynamoDB has not acknowledged, so after a failure a row that is
 * read again is not counted twice, and none is forgotten. Its input ends when all items are acknowledged. Then the
 * counts are handed to {@code outcome}, and from then on are not in this operator's checkpoints: whichever of the two
 * a restart gives them back to, nobody has them twice.
 */
final class ItemsOperator extends AbstractStreamOperator<Outcome>
        implements OneInputStreamOperator<RowData, Outcome>, BoundedOneInput {

    private static final long serialVersionUID = 1L;
    private static final int STATE_VERSION = 2;
    private static final String SHARES = "lindorm-items write units";

    private final JobConfig config;
    private final RowType rowType;
    private final boolean unreadable;
    private final String endpoint;
    private final String rates;

    private transient ItemMapper mapper;
    private transient Counts counts;
    private transient ItemWriter writer;
    private transient boolean handedOver;
    private transient ListState<byte[]> state;

    /**
     * @param rowType the columns of the rows
     * @param unreadable whether rows have, after these, what of them could not be read (the source's README)
     * @param endpoint where DynamoDB is, or null for AWS's own address of the region
     * @param rates the file with the rate to keep, or null
     */
    ItemsOperator(JobConfig config, RowType rowType, boolean unreadable, String endpoint, String rates) {
        this.config = config;
        this.rowType = rowType;
        this.unreadable = unreadable;
        this.endpoint = endpoint;
        this.rates = rates;
        // An operator is by default the head of a chain, and rows would be serialized on their way here.
        this.chainingStrategy = ChainingStrategy.ALWAYS;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        counts = new Counts();
        state = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>("items", BytePrimitiveArraySerializer.INSTANCE));
        long written = 0;
        List<Item> waiting = new ArrayList<>();
        // Several where the job now has fewer subtasks than before, none in some where it has more.
        for (byte[] restored : state.get()) {
            written += restore(restored, waiting);
        }
        JobConfig.Key key = config.target().key();
        Target target = new Target(
                config.target().region(),
                endpoint,
                config.target().table(),
                key.partition().name(),
                key.sort() == null ? null : key.sort().name());
        writer = ItemWriter.to(target, getContainingTask().getEnvironment()::failExternally, written, waiting);
    }

    @Override
    public void open() throws Exception {
        super.open();
        if (!getContainingTask().getConfiguration().isCheckpointingEnabled()) {
            throw new UserError(
                            "'lindorm-items' needs checkpoints: the result is written when the last one is complete."
                                    + " Set execution.checkpointing.interval, and execution.runtime-mode to STREAMING")
                    .endingTheJob();
        }
        mapper = new ItemMapper(config, rowType);
        // When the others were read: what asks for them gets what some earlier question has left behind.
        getMetricGroup().gauge("clock", System::currentTimeMillis);
        getMetricGroup().gauge("rowsRead", counts::rowsRead);
        getMetricGroup().gauge("itemsEmitted", counts::itemsEmitted);
        getMetricGroup().gauge("rowsRejected", counts::rowsRejected);
        getMetricGroup().gauge("itemsWritten", writer::written);
        getMetricGroup().gauge("writeUnits", writer::consumedUnits);
        getMetricGroup().gauge("throttled", writer::throttled);
        writer.start(
                getRuntimeContext().getTaskInfo().getTaskNameWithSubtasks() + " writer",
                rates == null ? null : Path.of(rates),
                new Shares(
                        getRuntimeContext().getTaskInfo().getIndexOfThisSubtask(),
                        getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks(),
                        getRuntimeContext().getGlobalAggregateManager()));
    }

    private record Shares(int writer, int writers, GlobalAggregateManager aggregates) implements RateShares {

        @Override
        public double ask(double[] request) throws IOException {
            return aggregates.updateGlobalAggregate(SHARES, request, new RateShare());
        }
    }

    @Override
    public void processElement(StreamRecord<RowData> element) throws Exception {
        reportInvalid();
        RowData row = element.getValue();
        Item item;
        try {
            if (unreadable && !row.isNullAt(rowType.getFieldCount())) {
                throw Reject.ofUnreadable(row.getString(rowType.getFieldCount()).toString());
            }
            item = mapper.item(row);
        } catch (Reject reject) {
            counts.addReject(reject.reason());
            output.collect(new StreamRecord<>(Outcome.reject(reject.reason(), mapper.rejectLine(row, reject))));
            return;
        }
        counts.addItem();
        writer.write(item);
    }

    /** Makes rejects of the items that DynamoDB has refused, which were counted as items. */
    private void reportInvalid() {
        for (ItemWriter.Invalid invalid : writer.takeInvalid()) {
            Reject reject = new Reject(RejectReason.RefusedByDynamoDB, invalid.words());
            counts.itemIsReject(reject.reason());
            output.collect(
                    new StreamRecord<>(Outcome.reject(reject.reason(), mapper.rejectLine(invalid.item(), reject))));
        }
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) {
        // What is refused after this is in the checkpoint as an item, which is refused again after a restart.
        reportInvalid();
    }

    @Override
    public void endInput() throws Exception {
        writer.drain();
        reportInvalid();
        if (writer.written() != counts.itemsEmitted()) {
            throw new IllegalStateException("items and those that DynamoDB has acknowledged do not add up: "
                    + counts.itemsEmitted() + ", " + writer.written());
        }
        output.collect(new StreamRecord<>(Outcome.counts(counts)));
        handedOver = true;
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        state.update(handedOver ? List.of() : List.of(snapshot()));
    }

    private byte[] snapshot() throws IOException {
        ItemWriter.Snapshot items = writer.snapshot();
        DataOutputSerializer out = new DataOutputSerializer(1024);
        out.writeInt(STATE_VERSION);
        long[] array = counts.toArray();
        out.writeInt(array.length);
        for (long count : array) {
            out.writeLong(count);
        }
        out.writeLong(items.written());
        out.writeInt(items.waiting().size());
        for (Item item : items.waiting()) {
            item.write(out);
        }
        return out.getCopyOfBuffer();
    }

    /** Adds the items that wait, and returns how many are written. */
    private long restore(byte[] bytes, List<Item> waiting) throws IOException {
        DataInputDeserializer in = new DataInputDeserializer(bytes);
        int version = in.readInt();
        if (version != STATE_VERSION) {
            throw new IOException("unknown version of the items' state: " + version);
        }
        long[] array = new long[in.readInt()];
        for (int i = 0; i < array.length; i++) {
            array[i] = in.readLong();
        }
        counts.add(array);
        long written = in.readLong();
        for (int i = in.readInt(); i > 0; i--) {
            waiting.add(Item.read(in));
        }
        return written;
    }

    @Override
    public void close() throws Exception {
        if (writer != null) {
            writer.close();
        }
        super.close();
    }
}
