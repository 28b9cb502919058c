package io.lindorm.flink.items;

import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.array.LongPrimitiveArraySerializer;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequest;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequestType;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.OutputTag;

import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The operator {@code items}: makes of each row an item or a reject, and counts.
 *
 * <p>The counts are in the checkpoint, so a row that is read again after a failure is not counted twice.
 * With the end of input they are handed to {@code outcome}, and from then on are not in this operator's
 * checkpoints: whichever of the two a restart gives them back to, nobody has them twice.
 */
final class ItemsOperator extends AbstractStreamOperator<DynamoDbWriteRequest>
        implements OneInputStreamOperator<RowData, DynamoDbWriteRequest>, BoundedOneInput {

    private static final long serialVersionUID = 1L;

    private final JobConfig config;
    private final RowType rowType;
    private final OutputTag<Outcome> outcomes;
    private final String sinkId;

    private transient ItemMapper mapper;
    private transient Counts counts;
    private transient boolean handedOver;
    private transient ListState<long[]> state;

    ItemsOperator(JobConfig config, RowType rowType, OutputTag<Outcome> outcomes, String sinkId) {
        this.config = config;
        this.rowType = rowType;
        this.outcomes = outcomes;
        this.sinkId = sinkId;
        // An operator is by default the head of a chain, and rows would be serialized on their way here.
        this.chainingStrategy = ChainingStrategy.ALWAYS;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        counts = new Counts();
        state = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>("counts", LongPrimitiveArraySerializer.INSTANCE));
        // Several where the job now has fewer subtasks than before, none in some where it has more.
        for (long[] restored : state.get()) {
            counts.add(restored);
        }
    }

    @Override
    public void open() throws Exception {
        super.open();
        mapper = new ItemMapper(config, rowType);
        AtomicLong acknowledged = AcknowledgedItems.of(sinkId, getRuntimeContext().getTaskInfo());
        getMetricGroup().gauge("rowsRead", counts::rowsRead);
        getMetricGroup().gauge("itemsEmitted", counts::itemsEmitted);
        getMetricGroup().gauge("rowsRejected", counts::rowsRejected);
        getMetricGroup().gauge("itemsWritten", acknowledged::get);
    }

    @Override
    public void processElement(StreamRecord<RowData> element) throws Exception {
        RowData row = element.getValue();
        try {
            DynamoDbWriteRequest item = DynamoDbWriteRequest.builder()
                    .setType(DynamoDbWriteRequestType.PUT)
                    .setItem(mapper.item(row))
                    .build();
            counts.addItem();
            output.collect(element.replace(item));
        } catch (Reject reject) {
            counts.addReject(reject.reason());
            output.collect(outcomes, new StreamRecord<>(Outcome.reject(reject.reason(), mapper.rejectLine(row, reject))));
        }
    }

    @Override
    public void endInput() {
        output.collect(outcomes, new StreamRecord<>(Outcome.counts(counts)));
        handedOver = true;
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        state.update(handedOver ? List.of() : List.of(counts.toArray()));
    }

    @Override
    public void close() throws Exception {
        AcknowledgedItems.forget(sinkId, getRuntimeContext().getTaskInfo());
        super.close();
    }
}
