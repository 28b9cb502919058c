package io.lindorm.flink.items;

import io.lindorm.flink.UserError;

import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import org.apache.flink.api.connector.sink2.SupportsWriterState;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.connector.base.sink.writer.BufferedRequestState;
import org.apache.flink.connector.dynamodb.sink.DynamoDbSink;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequest;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.connector.sink2.SupportsPreWriteTopology;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.transformations.SideOutputTransformation;
import org.apache.flink.util.OutputTag;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Flink's DynamoDB sink, with a count of what DynamoDB has acknowledged, and with {@code outcome} beside
 * it.
 *
 * <p>{@code outcome} hangs on the sink because a table sink may give Flink's planner one sink only: what
 * a sink adds before its writer is the one place from which a second end of the pipeline gets into the
 * job.
 */
final class ItemSink
        implements Sink<DynamoDbWriteRequest>,
                SupportsWriterState<DynamoDbWriteRequest, ItemWriterState>,
                SupportsPreWriteTopology<DynamoDbWriteRequest> {

    private static final long serialVersionUID = 1L;

    private final DynamoDbSink<DynamoDbWriteRequest> sink;
    private final JobConfig config;
    private final OutputTag<Outcome> outcomes;
    private final String sinkId;

    ItemSink(
            DynamoDbSink<DynamoDbWriteRequest> sink, JobConfig config, OutputTag<Outcome> outcomes, String sinkId) {
        this.sink = sink;
        this.config = config;
        this.outcomes = outcomes;
        this.sinkId = sinkId;
    }

    @Override
    public DataStream<DynamoDbWriteRequest> addPreWriteTopology(DataStream<DynamoDbWriteRequest> items) {
        if (!items.getExecutionEnvironment().getCheckpointConfig().isCheckpointingEnabled()) {
            throw new UserError("'lindorm-items' needs checkpoints: the result is written when the last one is"
                    + " complete. Set execution.checkpointing.interval, and execution.runtime-mode to STREAMING");
        }
        if (!items.getExecutionEnvironment().isChainingEnabled()) {
            throw new UserError("'lindorm-items' needs pipeline.operator-chaining: a task must not end its input"
                    + " before its items are acknowledged");
        }
        new DataStream<>(
                        items.getExecutionEnvironment(),
                        new SideOutputTransformation<>(items.getTransformation(), outcomes))
                .global()
                .transform("outcome", outcomes.getTypeInfo(), new OutcomeOperator(config))
                .setParallelism(1)
                .setMaxParallelism(1)
                .uid("outcome");
        return items;
    }

    @Override
    @Deprecated
    public StatefulSinkWriter<DynamoDbWriteRequest, ItemWriterState> createWriter(InitContext context) {
        throw new UnsupportedOperationException("Flink 1.20 calls createWriter(WriterInitContext)");
    }

    @Override
    public StatefulSinkWriter<DynamoDbWriteRequest, ItemWriterState> createWriter(WriterInitContext context)
            throws IOException {
        return restoreWriter(context, List.of());
    }

    @Override
    public StatefulSinkWriter<DynamoDbWriteRequest, ItemWriterState> restoreWriter(
            WriterInitContext context, Collection<ItemWriterState> states) throws IOException {
        return new Writer(
                sink.restoreWriter(context, states.stream().map(ItemWriterState::waiting).toList()),
                states,
                AcknowledgedItems.of(sinkId, context.getTaskInfo()),
                context.getTaskInfo());
    }

    @Override
    public SimpleVersionedSerializer<ItemWriterState> getWriterStateSerializer() {
        return new ItemWriterState.Serializer();
    }

    /** Counts what goes into the writer; at a checkpoint, all of that is acknowledged but what it keeps. */
    private final class Writer implements StatefulSinkWriter<DynamoDbWriteRequest, ItemWriterState> {

        private final org.apache.flink.api.connector.sink2.StatefulSinkWriter<
                        DynamoDbWriteRequest, BufferedRequestState<DynamoDbWriteRequest>>
                writer;
        private final AtomicLong acknowledged;
        private final TaskInfo task;
        private long taken;

        Writer(
                StatefulSinkWriter<DynamoDbWriteRequest, BufferedRequestState<DynamoDbWriteRequest>> writer,
                Collection<ItemWriterState> states,
                AtomicLong acknowledged,
                TaskInfo task) {
            this.writer = writer;
            this.acknowledged = acknowledged;
            this.task = task;
            for (ItemWriterState state : states) {
                taken += state.acknowledged() + state.waiting().getBufferedRequestEntries().size();
                acknowledged.addAndGet(state.acknowledged());
            }
        }

        @Override
        public void write(DynamoDbWriteRequest item, Context context) throws IOException, InterruptedException {
            taken++;
            writer.write(item, context);
        }

        @Override
        public void flush(boolean endOfInput) throws IOException, InterruptedException {
            writer.flush(endOfInput);
            if (endOfInput) {
                acknowledged.set(taken);
            }
        }

        @Override
        public List<ItemWriterState> snapshotState(long checkpointId) throws IOException {
            // Flink has called flush(false) right before, so nothing is on its way: it is either
            // acknowledged or in the buffer.
            List<BufferedRequestState<DynamoDbWriteRequest>> waiting = writer.snapshotState(checkpointId);
            long buffered = waiting.stream().mapToLong(state -> state.getBufferedRequestEntries().size()).sum();
            acknowledged.set(taken - buffered);
            return List.of(new ItemWriterState(taken - buffered, waiting.get(0)));
        }

        @Override
        public void close() throws Exception {
            AcknowledgedItems.forget(sinkId, task);
            writer.close();
        }
    }
}
