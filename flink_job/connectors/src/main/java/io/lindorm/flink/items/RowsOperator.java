package io.lindorm.flink.items;

import io.lindorm.flink.UserError;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/**
 * Makes of each row an item or a reject, and counts; what becomes of the items is the subclass's.
 *
 * <p>A checkpoint holds the counts, so after a failure a row that is read again is not counted twice. When the input
 * has ended and the items are taken care of, the counts are handed to {@code outcome}, and from then on are not in
 * this operator's checkpoints: whichever of the two a restart gives them back to, nobody has them twice.
 *
 * @param <T> what it emits
 */
abstract class RowsOperator<T> extends AbstractStreamOperator<T>
        implements OneInputStreamOperator<RowData, T>, BoundedOneInput {

    private static final long serialVersionUID = 1L;

    /** The job. */
    final JobConfig config;

    private final RowType rowType;
    private final boolean unreadable;

    /** Holds the item that was made last. */
    transient ItemMapper mapper;

    /** Of the rows until now. */
    transient Counts counts;

    private transient boolean handedOver;
    private transient ListState<byte[]> state;

    /**
     * @param rowType the columns of the rows
     * @param unreadable whether rows have, after these, what of them could not be read (the source's README)
     */
    RowsOperator(JobConfig config, RowType rowType, boolean unreadable) {
        this.config = config;
        this.rowType = rowType;
        this.unreadable = unreadable;
        // An operator is by default the head of a chain, and rows would be serialized on their way here.
        this.chainingStrategy = ChainingStrategy.ALWAYS;
    }

    /** The mapper has made an item. */
    abstract void accept() throws Exception;

    /** Hands something to {@code outcome}. */
    abstract void report(Outcome outcome);

    /** Waits until all items are taken care of. */
    abstract void settle() throws Exception;

    /** Writes what a checkpoint holds beside the counts. */
    abstract void snapshot(DataOutput out) throws IOException;

    /** Adds what {@link #snapshot} wrote. */
    abstract void restore(DataInput in) throws IOException;

    /** Of the form of a checkpoint: what {@link #snapshot} writes among it. */
    abstract int stateVersion();

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        counts = new Counts();
        state = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>("items", BytePrimitiveArraySerializer.INSTANCE));
        // Several where the job now has fewer subtasks than before, none in some where it has more.
        for (byte[] restored : state.get()) {
            DataInputDeserializer in = new DataInputDeserializer(restored);
            int version = in.readInt();
            if (version != stateVersion()) {
                throw new IOException("unknown version of the items' state: " + version);
            }
            counts.add(in);
            restore(in);
        }
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
    }

    @Override
    public void processElement(StreamRecord<RowData> element) throws Exception {
        RowData row = element.getValue();
        try {
            if (unreadable && !row.isNullAt(rowType.getFieldCount())) {
                throw Reject.ofUnreadable(row.getString(rowType.getFieldCount()).toString());
            }
            mapper.encode(row);
        } catch (Reject reject) {
            counts.addReject(reject.reason());
            report(Outcome.reject(reject.reason(), mapper.rejectLine(row, reject)));
            return;
        }
        counts.addItem();
        accept();
    }

    @Override
    public void endInput() throws Exception {
        settle();
        report(Outcome.counts(counts));
        handedOver = true;
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        state.clear();
        if (!handedOver) {
            DataOutputSerializer out = new DataOutputSerializer(1024);
            out.writeInt(stateVersion());
            counts.write(out);
            snapshot(out);
            state.add(out.getCopyOfBuffer());
        }
    }
}
