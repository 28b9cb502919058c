package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutcomeOperatorTest {

    @TempDir
    private Path folder;

    private OneInputStreamOperatorTestHarness<Outcome, Outcome> harness() throws Exception {
        JobConfig config = Configs.config()
                .primaryKey("c0")
                .partition("k", "S", "{c0}")
                .path(folder.toUri().toString())
                .maxRejects(3)
                .build();
        return new OneInputStreamOperatorTestHarness<>(new OutcomeOperator(config));
    }

    private static void send(OneInputStreamOperatorTestHarness<Outcome, Outcome> harness, Outcome outcome)
            throws Exception {
        harness.processElement(new StreamRecord<>(outcome));
    }

    private static Outcome reject() {
        return Outcome.reject(RejectReason.EmptyKey, "{\"reason\":\"EmptyKey\"}");
    }

    private static Outcome counts(int items, int rejects) {
        Counts counts = new Counts();
        for (int i = 0; i < items; i++) {
            counts.addItem();
        }
        for (int i = 0; i < rejects; i++) {
            counts.addReject(RejectReason.EmptyKey);
        }
        return Outcome.counts(counts);
    }

    private List<String> rejectLines() throws Exception {
        List<String> lines = new ArrayList<>();
        if (Files.exists(folder.resolve("rejects"))) {
            try (Stream<Path> files = Files.list(folder.resolve("rejects"))) {
                for (Path file : files.filter(f -> f.getFileName().toString().startsWith("rejects-"))
                        .toList()) {
                    lines.addAll(Files.readAllLines(file));
                }
            }
        }
        return lines;
    }

    private Path result() {
        return folder.resolve("result/result.json");
    }

    private String resultWithoutTime() throws Exception {
        return Files.readString(result())
                .replaceAll("\"finishedAt\":\"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\"", "T");
    }

    @Test
    void theResultWaitsForACheckpointThatWasTakenAfterTheEnd() throws Exception {
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = harness()) {
            harness.open();
            send(harness, reject());
            send(harness, counts(5, 0));
            harness.snapshot(1, 0);
            assertEquals(List.of(), rejectLines());
            harness.notifyOfCompletedCheckpoint(1);
            assertEquals(1, rejectLines().size());
            harness.snapshot(2, 0);
            send(harness, counts(4, 1));
            harness.endInput();
            // Complete only now, but taken before the end.
            harness.notifyOfCompletedCheckpoint(2);
            assertFalse(Files.exists(result()));
            harness.snapshot(3, 0);
            assertFalse(Files.exists(result()));
            harness.notifyOfCompletedCheckpoint(3);
            assertEquals(
                    "{\"version\":1,\"runId\":\"r1\",\"rowsRead\":10,\"itemsWritten\":9,\"rowsRejected\":1,"
                            + "\"rejectedByReason\":{\"EmptyKey\":1},T}\n",
                    resultWithoutTime());
        }
    }

    @Test
    void whatAFailurePreventedIsDoneAfterTheRestartAndOnlyOnce() throws Exception {
        OperatorSubtaskState last;
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = harness()) {
            harness.open();
            send(harness, reject());
            send(harness, counts(5, 1));
            harness.endInput();
            last = harness.snapshot(7, 0);
        }
        assertFalse(Files.exists(result()));
        assertEquals(List.of(), rejectLines());
        String first = null;
        for (int restart = 0; restart < 2; restart++) {
            try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = harness()) {
                harness.initializeState(last);
                harness.open();
                assertEquals(1, rejectLines().size());
                first = first == null ? Files.readString(result()) : first;
                // The restarted tasks end again; they have nothing left to hand over.
                send(harness, counts(0, 0));
                harness.endInput();
                harness.snapshot(8, 0);
                harness.notifyOfCompletedCheckpoint(8);
                assertEquals(first, Files.readString(result()));
                assertEquals(1, rejectLines().size());
            }
        }
    }

    @Test
    void countsThatCameBeforeAFailureAreKeptAndLaterRejectsForgotten() throws Exception {
        OperatorSubtaskState state;
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = harness()) {
            harness.open();
            send(harness, counts(2, 0));
            state = harness.snapshot(1, 0);
            harness.notifyOfCompletedCheckpoint(1);
            send(harness, reject());
            harness.snapshot(2, 0);
        }
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = harness()) {
            harness.initializeState(state);
            harness.open();
            assertFalse(Files.exists(result()));
            send(harness, reject());
            send(harness, counts(1, 1));
            harness.endInput();
            harness.snapshot(3, 0);
            harness.notifyOfCompletedCheckpoint(3);
            assertTrue(
                    resultWithoutTime().contains("\"rowsRead\":4,\"itemsWritten\":3,\"rowsRejected\":1"),
                    resultWithoutTime());
            assertEquals(1, rejectLines().size());
        }
    }

    @Test
    void tooManyRejectsEndTheJobWithAnExample() throws Exception {
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = harness()) {
            harness.open();
            for (int i = 0; i < 3; i++) {
                send(harness, reject());
            }
            SuppressRestartsException error =
                    assertThrows(SuppressRestartsException.class, () -> send(harness, reject()));
            assertTrue(error.getCause() instanceof UserError);
            assertTrue(error.getCause().getMessage().contains("more than 3 rows were rejected"));
            assertTrue(error.getCause().getMessage().contains("EmptyKey"));
            assertEquals(4, rejectLines().size());
        }
    }

    @Test
    void noResultIsWrittenOfCountsThatDoNotAddUp() throws Exception {
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = harness()) {
            harness.open();
            send(harness, counts(2, 1));
            harness.endInput();
            harness.snapshot(1, 0);
            assertThrows(Exception.class, () -> harness.notifyOfCompletedCheckpoint(1));
            assertFalse(Files.exists(result()));
        }
    }
}
