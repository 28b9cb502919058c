package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequest;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.OutputTag;

import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.List;

class ItemsOperatorTest {

    private static final OutputTag<Outcome> OUTCOMES = new OutputTag<>("outcomes", TypeInformation.of(Outcome.class));

    private static OneInputStreamOperatorTestHarness<RowData, DynamoDbWriteRequest> harness(int subtasks, int subtask) throws Exception {
        JobConfig config = Configs.config().primaryKey("k").attribute("k", "k", "String").partition("k", "S", "{k}").build();
        RowType rowType = (RowType) DataTypes.ROW(DataTypes.FIELD("k", DataTypes.STRING())).getLogicalType();
        return new OneInputStreamOperatorTestHarness<>(
                new ItemsOperator(config, rowType, OUTCOMES, "test"), 8, subtasks, subtask);
    }

    private static void send(OneInputStreamOperatorTestHarness<RowData, DynamoDbWriteRequest> harness, String... keys) throws Exception {
        for (String key : keys) {
            harness.processElement(new StreamRecord<>(GenericRowData.of(StringData.fromString(key))));
        }
    }

    private static long[] handedOver(OneInputStreamOperatorTestHarness<RowData, DynamoDbWriteRequest> harness) throws Exception {
        harness.endInput();
        Outcome last = null;
        for (StreamRecord<Outcome> outcome : harness.getSideOutput(OUTCOMES)) {
            last = outcome.getValue();
        }
        assertNotNull(last);
        return last.counts;
    }

    @Test
    void countsAreExactOverARestartWithAnotherParallelism() throws Exception {
        List<OperatorSubtaskState> states = new ArrayList<>();
        for (int subtask = 0; subtask < 2; subtask++) {
            try (OneInputStreamOperatorTestHarness<RowData, DynamoDbWriteRequest> harness = harness(2, subtask)) {
                harness.open();
                send(harness, "a", "", "b");
                states.add(harness.snapshot(1, 0));
                send(harness, "after the checkpoint");
            }
        }
        OperatorSubtaskState all = AbstractStreamOperatorTestHarness.repackageState(states.toArray(new OperatorSubtaskState[0]));
        for (int parallelism : new int[] {1, 2, 3}) {
            long[] sum = new long[2 + RejectReason.values().length];
            for (int subtask = 0; subtask < parallelism; subtask++) {
                try (OneInputStreamOperatorTestHarness<RowData, DynamoDbWriteRequest> harness = harness(parallelism, subtask)) {
                    harness.initializeState(AbstractStreamOperatorTestHarness.repartitionOperatorState(all, 8, 2, parallelism, subtask));
                    harness.open();
                    send(harness, "c");
                    long[] counts = handedOver(harness);
                    for (int i = 0; i < sum.length; i++) {
                        sum[i] += counts[i];
                    }
                }
            }
            assertEquals(6 + parallelism, sum[0]);
            assertEquals(4 + parallelism, sum[1]);
            assertEquals(2, sum[2 + RejectReason.EmptyKey.ordinal()]);
        }
    }

    @Test
    void whatIsHandedOverIsNotCountedAgainAfterARestart() throws Exception {
        OperatorSubtaskState state;
        try (OneInputStreamOperatorTestHarness<RowData, DynamoDbWriteRequest> harness = harness(1, 0)) {
            harness.open();
            send(harness, "a");
            assertEquals(1, handedOver(harness)[0]);
            state = harness.snapshot(1, 0);
        }
        try (OneInputStreamOperatorTestHarness<RowData, DynamoDbWriteRequest> harness = harness(1, 0)) {
            harness.initializeState(state);
            harness.open();
            assertArrayEquals(new long[2 + RejectReason.values().length], handedOver(harness));
        }
    }
}
