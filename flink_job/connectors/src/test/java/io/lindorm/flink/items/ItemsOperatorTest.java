package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import io.lindorm.flink.dynamodb.FakeDynamoDb;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ItemsOperatorTest {

    private FakeDynamoDb dynamoDb;

    @BeforeEach
    void start() throws IOException {
        dynamoDb = new FakeDynamoDb();
    }

    @AfterEach
    void stop() {
        dynamoDb.close();
    }

    private boolean unreadable;
    private String rates;

    private OneInputStreamOperatorTestHarness<RowData, Outcome> harness(int subtasks, int subtask, boolean checkpoints)
            throws Exception {
        JobConfig config = Configs.config()
                .primaryKey("k", "s")
                .attribute("k", "p", "String")
                .attribute("s", "s", "Number")
                .partition("p", "S", "{k}")
                .sort("s", "N", "{s}")
                .build();
        RowType rowType =
                (RowType) DataTypes.ROW(DataTypes.FIELD("k", DataTypes.STRING()), DataTypes.FIELD("s", DataTypes.INT()))
                        .getLogicalType();
        OneInputStreamOperatorTestHarness<RowData, Outcome> harness = new OneInputStreamOperatorTestHarness<>(
                new ItemsOperator(config, rowType, unreadable, dynamoDb.url(), rates), 8, subtasks, subtask);
        harness.getStreamConfig().setCheckpointingEnabled(checkpoints);
        return harness;
    }

    private OneInputStreamOperatorTestHarness<RowData, Outcome> harness(int subtasks, int subtask) throws Exception {
        return harness(subtasks, subtask, true);
    }

    private static void send(OneInputStreamOperatorTestHarness<RowData, Outcome> harness, String... keys)
            throws Exception {
        for (String key : keys) {
            harness.processElement(new StreamRecord<>(GenericRowData.of(StringData.fromString(key), 1)));
        }
    }

    private static long[] handedOver(OneInputStreamOperatorTestHarness<RowData, Outcome> harness) throws Exception {
        harness.endInput();
        List<Outcome> outcomes = harness.extractOutputValues();
        return outcomes.get(outcomes.size() - 1).counts;
    }

    @Test
    void rowsBecomeItemsInDynamoDbAndTheOthersAreReported() throws Exception {
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            harness.open();
            send(harness, "a", "", "b");
            long[] counts = handedOver(harness);
            assertEquals(3, counts[0]);
            assertEquals(2, counts[1]);
            assertEquals("EmptyKey", harness.extractOutputValues().get(0).reason);
            assertEquals(2, dynamoDb.items().size());
        }
    }

    @Test
    void aRatesFileThatCannotBeUnderstoodEndsTheJobBeforeAnythingIsWritten(@TempDir Path folder) throws Exception {
        rates = Files.writeString(folder.resolve("rates.json"), "{\"version\": 1, \"writeUnitsPerSecond\": 0}")
                .toString();
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            SuppressRestartsException said = assertThrows(SuppressRestartsException.class, harness::open);
            assertTrue(said.getCause().getMessage().contains("writeUnitsPerSecond must be a positive number or null"));
        }
    }

    @Test
    void anItemThatDynamoDbRefusesIsARejectWithItsWordsAndTheCountsAddUp() throws Exception {
        dynamoDb.invalid(
                item -> item.path("p").path("S").asText().startsWith("bad"), "One or more parameter values: so");
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            harness.open();
            send(harness, "a", "bad1", "b", "", "bad2");
            long[] counts = handedOver(harness);
            assertEquals(5, counts[0]);
            assertEquals(2, counts[1]);
            assertEquals(2, counts[2 + RejectReason.RefusedByDynamoDB.ordinal()]);
            assertEquals(2, dynamoDb.items().size());
            List<String> lines = harness.extractOutputValues().stream()
                    .filter(outcome -> "RefusedByDynamoDB".equals(outcome.reason))
                    .map(outcome -> outcome.line)
                    .sorted()
                    .toList();
            assertEquals(
                    "{\"reason\":\"RefusedByDynamoDB\",\"message\":\"ValidationException: One or more parameter values: so\","
                            + "\"key\":{\"k\":\"bad1\",\"s\":1},\"row\":{\"k\":\"bad1\",\"s\":1}}",
                    lines.get(0));
            assertEquals(2, lines.size());
        }
    }

    @Test
    void anItemThatDynamoDbRefusesIsCountedOnceOverARestart() throws Exception {
        dynamoDb.invalid(item -> item.path("p").path("S").asText().startsWith("bad"), "so");
        // Before: nothing is taken, so it may be the table that is wrong, and nothing is told yet.
        dynamoDb.refuse(item -> true);
        OperatorSubtaskState state;
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            harness.open();
            send(harness, "a", "bad");
            while (dynamoDb.requests() < 4) {
                Thread.onSpinWait();
            }
            harness.prepareSnapshotPreBarrier(1);
            state = harness.snapshot(1, 0);
            assertEquals(List.of(), harness.extractOutputValues());
        }
        dynamoDb.refuse(item -> false);
        int rows = 0;
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            harness.initializeState(state);
            harness.open();
            // Told as soon as the table has taken another item after it.
            for (int i = 0; harness.extractOutputValues().isEmpty(); i++) {
                send(harness, "c" + i % 2);
                rows++;
                harness.prepareSnapshotPreBarrier(2);
            }
            state = harness.snapshot(2, 0);
        }
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            harness.initializeState(state);
            harness.open();
            long[] counts = handedOver(harness);
            assertEquals(2 + rows, counts[0]);
            assertEquals(1 + rows, counts[1]);
            assertEquals(1, counts[2 + RejectReason.RefusedByDynamoDB.ordinal()]);
            assertEquals(1, harness.extractOutputValues().size());
            assertEquals(1 + Math.min(rows, 2), dynamoDb.items().size());
        }
    }

    @Test
    void aRowOfWhichTheSourceCouldNotReadAValueIsRejectedForWhatTheSourceSays() throws Exception {
        unreadable = true;
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            harness.open();
            harness.processElement(new StreamRecord<>(GenericRowData.of(StringData.fromString("a"), 1, null)));
            harness.processElement(new StreamRecord<>(GenericRowData.of(
                    StringData.fromString("b"),
                    null,
                    StringData.fromString("TimeOutOfRange: column d is '0000-00-00', a day: that never was"))));
            long[] counts = handedOver(harness);
            assertEquals(2, counts[0]);
            assertEquals(1, counts[1]);
            Outcome reject = harness.extractOutputValues().get(0);
            assertEquals("TimeOutOfRange", reject.reason);
            assertTrue(reject.line.contains("column d is '0000-00-00', a day: that never was"), reject.line);
            assertEquals(1, dynamoDb.items().size());
        }
    }

    @Test
    void withoutCheckpointsNothingIsWritten() throws Exception {
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0, false)) {
            Exception error = assertThrows(Exception.class, harness::open);
            assertTrue(ExceptionUtils.findThrowable(error, UserError.class)
                    .orElseThrow()
                    .getMessage()
                    .contains("needs checkpoints"));
        }
    }

    @Test
    void countsAndItemsAreExactOverARestartWithAnotherParallelism() throws Exception {
        List<OperatorSubtaskState> states = new ArrayList<>();
        // DynamoDB takes nothing: all items are in the checkpoint.
        dynamoDb.refuse(item -> true);
        for (int subtask = 0; subtask < 2; subtask++) {
            try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(2, subtask)) {
                harness.open();
                send(harness, "a" + subtask, "", "b" + subtask);
                states.add(harness.snapshot(1, 0));
                send(harness, "after the checkpoint");
            }
        }
        assertEquals(0, dynamoDb.items().size());
        dynamoDb.refuse(item -> false);
        OperatorSubtaskState all =
                AbstractStreamOperatorTestHarness.repackageState(states.toArray(new OperatorSubtaskState[0]));
        for (int parallelism : new int[] {1, 2, 3}) {
            long[] sum = new long[2 + RejectReason.values().length];
            for (int subtask = 0; subtask < parallelism; subtask++) {
                try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(parallelism, subtask)) {
                    harness.initializeState(AbstractStreamOperatorTestHarness.repartitionOperatorState(
                            all, 8, 2, parallelism, subtask));
                    harness.open();
                    send(harness, "c" + parallelism + subtask);
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
        assertEquals(4 + 1 + 2 + 3, dynamoDb.items().size());
    }

    @Test
    void whatIsHandedOverIsNotCountedAgainAfterARestart() throws Exception {
        OperatorSubtaskState state;
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            harness.open();
            send(harness, "a");
            assertEquals(1, handedOver(harness)[0]);
            state = harness.snapshot(1, 0);
        }
        try (OneInputStreamOperatorTestHarness<RowData, Outcome> harness = harness(1, 0)) {
            harness.initializeState(state);
            harness.open();
            assertArrayEquals(new long[2 + RejectReason.values().length], handedOver(harness));
        }
    }
}
