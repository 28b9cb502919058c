package io.lindorm.flink.items;

import io.lindorm.flink.UserError;
import io.lindorm.flink.dynamodb.Item;
import io.lindorm.flink.dynamodb.ItemWriter;
import io.lindorm.flink.dynamodb.Target;
import io.lindorm.flink.rate.RateShare;
import io.lindorm.flink.rate.RateShares;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.taskexecutor.GlobalAggregateManager;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/**
 * The operator {@code items} of a job that writes to DynamoDB itself. A checkpoint holds the items that DynamoDB has not
 * acknowledged, so none is forgotten. Its input ends when all items are acknowledged.
 */
final class ItemsOperator extends RowsOperator<Outcome> {

    private static final long serialVersionUID = 1L;
    private static final String SHARES = "lindorm-items write units";

    private final String endpoint;
    private final String rates;

    private transient ItemWriter writer;
    private transient long writtenBefore;
    private transient List<Item> waiting;

    /**
     * @param rowType the columns of the rows
     * @param unreadable whether rows have, after these, what of them could not be read (the source's README)
     * @param endpoint where DynamoDB is, or null for AWS's own address of the region
     * @param rates the file with the rate to keep, or null
     */
    ItemsOperator(JobConfig config, RowType rowType, boolean unreadable, String endpoint, String rates) {
        super(config, rowType, unreadable);
        this.endpoint = endpoint;
        this.rates = rates;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        waiting = new ArrayList<>();
        super.initializeState(context);
        JobConfig.Key key = config.target().key();
        Target target = new Target(
                config.target().region(),
                endpoint,
                config.target().table(),
                key.partition().name(),
                key.sort() == null ? null : key.sort().name());
        writer = ItemWriter.to(target, getContainingTask().getEnvironment()::failExternally, writtenBefore, waiting);
        waiting = null;
    }

    @Override
    public void open() throws Exception {
        super.open();
        getMetricGroup().gauge("itemsWritten", writer::written);
        getMetricGroup().gauge("writeUnits", writer::consumedUnits);
        getMetricGroup().gauge("throttled", writer::throttled);
        TaskInfo task = getRuntimeContext().getTaskInfo();
        try {
            writer.start(
                    task.getTaskNameWithSubtasks() + " writer",
                    rates == null ? null : Path.of(rates),
                    new Shares(
                            task.getIndexOfThisSubtask(),
                            task.getNumberOfParallelSubtasks(),
                            getRuntimeContext().getGlobalAggregateManager()));
        } catch (UserError e) {
            throw e.endingTheJob();
        }
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
        super.processElement(element);
    }

    @Override
    void accept() throws Exception {
        writer.write(mapper.item());
    }

    @Override
    void report(Outcome outcome) {
        output.collect(new StreamRecord<>(outcome));
    }

    /** Makes rejects of the items that DynamoDB has refused, which were counted as items. */
    private void reportInvalid() {
        for (ItemWriter.Invalid invalid : writer.takeInvalid()) {
            Reject reject = new Reject(RejectReason.RefusedByDynamoDB, invalid.words());
            counts.itemIsReject(reject.reason());
            report(Outcome.reject(reject.reason(), mapper.rejectLine(invalid.item(), reject)));
        }
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) {
        // What is refused after this is in the checkpoint as an item, which is refused again after a restart.
        reportInvalid();
    }

    @Override
    void settle() throws Exception {
        writer.drain();
        reportInvalid();
        if (writer.written() != counts.itemsEmitted()) {
            throw new IllegalStateException("items and those that DynamoDB has acknowledged do not add up: "
                    + counts.itemsEmitted() + ", " + writer.written());
        }
    }

    @Override
    int stateVersion() {
        return 2;
    }

    @Override
    void snapshot(DataOutput out) throws IOException {
        ItemWriter.Snapshot items = writer.snapshot();
        out.writeLong(items.written());
        out.writeInt(items.waiting().size());
        for (Item item : items.waiting()) {
            item.write(out);
        }
    }

    @Override
    void restore(DataInput in) throws IOException {
        writtenBefore += in.readLong();
        for (int i = in.readInt(); i > 0; i--) {
            waiting.add(Item.read(in));
        }
    }

    @Override
    public void close() throws Exception {
        if (writer != null) {
            writer.close();
        }
        super.close();
    }
}
