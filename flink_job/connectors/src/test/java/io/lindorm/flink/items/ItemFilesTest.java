package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import io.lindorm.flink.files.FinishedFile;
import io.lindorm.flink.files.ItemLines;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The three operators of a job that writes files, each with its checkpoints; docs/contracts.md has the form. */
class ItemFilesTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private JobConfig config(int maxObjects) {
        return Configs.config()
                .primaryKey("k")
                .attribute("k", "k", "String")
                .partition("k", "S", "{k}")
                .path(folder.toUri().toString().replaceAll("/$", ""))
                .files(maxObjects)
                .build();
    }

    private OneInputStreamOperatorTestHarness<RowData, ItemLines> rows() throws Exception {
        RowType rowType = (RowType)
                DataTypes.ROW(DataTypes.FIELD("k", DataTypes.STRING())).getLogicalType();
        OneInputStreamOperatorTestHarness<RowData, ItemLines> harness =
                new OneInputStreamOperatorTestHarness<>(new ItemLinesOperator(config(50_000), rowType, false), 8, 1, 0);
        harness.getStreamConfig().setCheckpointingEnabled(true);
        return harness;
    }

    private OneInputStreamOperatorTestHarness<ItemLines, Outcome> files() throws Exception {
        return new OneInputStreamOperatorTestHarness<>(
                new ItemFilesOperator(config(50_000).load().items()), 8, 1, 0);
    }

    private OneInputStreamOperatorTestHarness<Outcome, Outcome> outcome(int maxObjects) throws Exception {
        return new OneInputStreamOperatorTestHarness<>(new OutcomeOperator(config(maxObjects)));
    }

    private static void sendRows(OneInputStreamOperatorTestHarness<RowData, ItemLines> harness, String... keys)
            throws Exception {
        for (String key : keys) {
            harness.processElement(new StreamRecord<>(GenericRowData.of(StringData.fromString(key))));
        }
    }

    private static ItemLines lines(String... keys) {
        StringBuilder json = new StringBuilder();
        for (String key : keys) {
            json.append(line(key));
        }
        return new ItemLines(keys.length, json.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static String line(String key) {
        return "{\"Item\":{\"k\":{\"S\":\"" + key + "\"}}}\n";
    }

    /** A finished file that holds these keys, as a writer hands it over. */
    private Outcome file(String... keys) throws Exception {
        try (OneInputStreamOperatorTestHarness<ItemLines, Outcome> harness = files()) {
            harness.open();
            harness.processElement(new StreamRecord<>(lines(keys)));
            harness.endInput();
            return harness.extractOutputValues().get(0);
        }
    }

    private static Outcome counts(int items) {
        Counts counts = new Counts();
        for (int i = 0; i < items; i++) {
            counts.addItem();
        }
        return Outcome.counts(counts);
    }

    /** The published objects by name, each as the text that is compressed in it. */
    private Map<String, String> published() throws IOException {
        Map<String, String> objects = new TreeMap<>();
        if (Files.exists(folder.resolve("items"))) {
            try (Stream<Path> files = Files.list(folder.resolve("items"))) {
                // On a local disk a file that is not published begins with a dot; in S3 it is no object.
                for (Path file : files.filter(f -> !f.getFileName().toString().startsWith("."))
                        .toList()) {
                    objects.put(file.getFileName().toString(), text(Files.readAllBytes(file)));
                }
            }
        }
        return objects;
    }

    private static String text(byte[] gzip) throws IOException {
        try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(gzip))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private JsonNode result() throws IOException {
        return JSON.readTree(folder.resolve("result/result.json").toFile());
    }

    private List<JsonNode> manifest() throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve("result/manifest.jsonl"))) {
            lines.add(JSON.readTree(line));
        }
        return lines;
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    @Test
    void rowsBecomeLinesOfDynamoDbsJsonAndRejectsGoOutAtTheSide() throws Exception {
        try (OneInputStreamOperatorTestHarness<RowData, ItemLines> harness = rows()) {
            harness.open();
            sendRows(harness, "a", "", "b\n\"\\\u00e9");
            harness.endInput();
            List<ItemLines> lines = harness.extractOutputValues();
            assertEquals(1, lines.size());
            assertEquals(2, lines.get(0).items);
            assertEquals(
                    line("a") + "{\"Item\":{\"k\":{\"S\":\"b\\u000a\\\"\\\\\u00e9\"}}}\n",
                    new String(lines.get(0).json, StandardCharsets.UTF_8));
            List<Outcome> outcomes = harness.getSideOutput(ItemLinesOperator.OUTCOMES).stream()
                    .map(StreamRecord::getValue)
                    .toList();
            assertEquals("EmptyKey", outcomes.get(0).reason);
            assertEquals(3, outcomes.get(1).counts[0]);
            assertEquals(2, outcomes.get(1).counts[1]);
        }
    }

    @Test
    void linesOfRowsBeforeABarrierGoBeforeItAndTheirCountsAreInItsCheckpoint() throws Exception {
        OperatorSubtaskState state;
        try (OneInputStreamOperatorTestHarness<RowData, ItemLines> harness = rows()) {
            harness.open();
            sendRows(harness, "a", "b");
            assertEquals(List.of(), harness.extractOutputValues());
            harness.prepareSnapshotPreBarrier(1);
            assertEquals(2, harness.extractOutputValues().get(0).items);
            state = harness.snapshot(1, 0);
            sendRows(harness, "lost");
        }
        try (OneInputStreamOperatorTestHarness<RowData, ItemLines> harness = rows()) {
            harness.initializeState(state);
            harness.open();
            sendRows(harness, "c");
            harness.endInput();
            assertEquals(line("c"), new String(harness.extractOutputValues().get(0).json, StandardCharsets.UTF_8));
            Outcome counts =
                    harness.getSideOutput(ItemLinesOperator.OUTCOMES).peek().getValue();
            assertEquals(3, counts.counts[0]);
        }
    }

    @Test
    void manyLinesTravelTogetherAndNoneTwice() throws Exception {
        try (OneInputStreamOperatorTestHarness<RowData, ItemLines> harness = rows()) {
            harness.open();
            StringBuilder all = new StringBuilder();
            for (int i = 0; i < 5_000; i++) {
                sendRows(harness, "k" + i);
                all.append(line("k" + i));
            }
            harness.endInput();
            List<ItemLines> chunks = harness.extractOutputValues();
            assertEquals(5_000, chunks.stream().mapToInt(chunk -> chunk.items).sum());
            assertTrue(chunks.size() > 1 && chunks.size() < 50, chunks.size() + " chunks");
            StringBuilder text = new StringBuilder();
            chunks.forEach(chunk -> text.append(new String(chunk.json, StandardCharsets.UTF_8)));
            assertEquals(all.toString(), text.toString());
        }
    }

    @Test
    void aFileEndsBeforeEachBarrierAndNoneIsEmpty() throws Exception {
        try (OneInputStreamOperatorTestHarness<ItemLines, Outcome> harness = files()) {
            harness.open();
            harness.prepareSnapshotPreBarrier(1);
            harness.processElement(new StreamRecord<>(lines("a", "b")));
            harness.processElement(new StreamRecord<>(lines("c")));
            assertEquals(List.of(), harness.extractOutputValues());
            harness.prepareSnapshotPreBarrier(2);
            harness.prepareSnapshotPreBarrier(3);
            harness.processElement(new StreamRecord<>(lines("d")));
            harness.endInput();
            assertEquals(2, harness.extractOutputValues().size());
            assertEquals(Map.of(), published());
        }
    }

    @Test
    void aFileEndsWhereItWouldHoldMoreThanFourMillionItems() throws Exception {
        try (OneInputStreamOperatorTestHarness<ItemLines, Outcome> harness = files()) {
            harness.open();
            byte[] json = lines("a").json;
            for (int i = 0; i < 3; i++) {
                harness.processElement(new StreamRecord<>(new ItemLines(2_000_000, json)));
            }
            assertEquals(1, harness.extractOutputValues().size());
            assertEquals(
                    4_000_000,
                    FinishedFile.of(harness.extractOutputValues().get(0).file).items());
        }
    }

    @Test
    void aFileIsPublishedWhenItsCheckpointIsCompleteAndNotBefore() throws Exception {
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = outcome(50_000)) {
            harness.open();
            harness.processElement(new StreamRecord<>(file("a", "b")));
            harness.snapshot(1, 0);
            harness.processElement(new StreamRecord<>(file("c")));
            assertEquals(Map.of(), published());
            harness.notifyOfCompletedCheckpoint(1);
            assertEquals(List.of(line("a") + line("b")), List.copyOf(published().values()));
            harness.snapshot(2, 0);
            harness.snapshot(3, 0);
            // Of a checkpoint that is never said to be complete, the next one says it.
            harness.notifyOfCompletedCheckpoint(3);
            assertEquals(2, published().size());
            assertFalse(Files.exists(folder.resolve("result")));
        }
    }

    @Test
    void theResultNamesAManifestOfJustTheObjectsThatAreThere() throws Exception {
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = outcome(50_000)) {
            harness.open();
            harness.processElement(new StreamRecord<>(file("a", "b")));
            harness.snapshot(1, 0);
            harness.notifyOfCompletedCheckpoint(1);
            harness.processElement(new StreamRecord<>(file("c")));
            harness.processElement(new StreamRecord<>(counts(3)));
            harness.endInput();
            harness.snapshot(2, 0);
            assertFalse(Files.exists(folder.resolve("result/result.json")));
            harness.notifyOfCompletedCheckpoint(2);
        }
        Map<String, String> objects = published();
        List<JsonNode> manifest = manifest();
        assertEquals(
                List.copyOf(objects.keySet()),
                manifest.stream().map(line -> line.get("object").asText()).toList());
        long stored = 0;
        for (JsonNode line : manifest) {
            byte[] object = Files.readAllBytes(
                    folder.resolve("items").resolve(line.get("object").asText()));
            String text = objects.get(line.get("object").asText());
            assertEquals(text.lines().count(), line.get("items").asLong());
            assertEquals(text.length(), line.get("bytes").asLong());
            assertEquals(object.length, line.get("storedBytes").asLong());
            assertEquals(sha256(object), line.get("sha256").asText());
            stored += object.length;
        }
        JsonNode result = result();
        assertEquals(2, result.get("version").asInt());
        assertEquals(3, result.get("itemsWritten").asInt());
        JsonNode files = result.get("files");
        assertEquals(2, files.get("objects").asInt());
        assertEquals(3L * line("a").length(), files.get("bytes").asLong());
        assertEquals(stored, files.get("storedBytes").asLong());
        assertTrue(files.get("items").asText().endsWith("/items/"), files.toString());
        byte[] bytes = Files.readAllBytes(folder.resolve("result/manifest.jsonl"));
        assertEquals(bytes.length, files.get("manifest").get("bytes").asInt());
        assertEquals(sha256(bytes), files.get("manifest").get("sha256").asText());
    }

    @Test
    void whatAFailurePreventedIsPublishedAfterTheRestartAndFilesSinceTheCheckpointAreForgotten() throws Exception {
        OperatorSubtaskState first;
        OperatorSubtaskState last;
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = outcome(50_000)) {
            harness.open();
            harness.processElement(new StreamRecord<>(file("a")));
            first = harness.snapshot(1, 0);
            harness.processElement(new StreamRecord<>(file("forgotten")));
        }
        assertEquals(Map.of(), published());
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = outcome(50_000)) {
            harness.initializeState(first);
            harness.open();
            assertEquals(List.of(line("a")), List.copyOf(published().values()));
            harness.processElement(new StreamRecord<>(file("b")));
            harness.processElement(new StreamRecord<>(counts(2)));
            harness.endInput();
            last = harness.snapshot(2, 0);
        }
        assertEquals(1, published().size());
        String manifest = null;
        for (int restart = 0; restart < 2; restart++) {
            try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = outcome(50_000)) {
                harness.initializeState(last);
                harness.open();
                assertEquals(2, published().size());
                assertEquals(2, result().get("files").get("objects").asInt());
                String again = Files.readString(folder.resolve("result/manifest.jsonl"));
                assertEquals(manifest == null ? again : manifest, again);
                manifest = again;
            }
        }
    }

    @Test
    void withoutItemsThereIsAnEmptyManifestAndNoObject() throws Exception {
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = outcome(50_000)) {
            harness.open();
            harness.processElement(new StreamRecord<>(counts(0)));
            harness.endInput();
            harness.snapshot(1, 0);
            harness.notifyOfCompletedCheckpoint(1);
        }
        assertEquals(Map.of(), published());
        assertEquals(List.of(), manifest());
        assertEquals(0, result().get("files").get("objects").asInt());
        assertEquals(0, result().get("files").get("bytes").asLong());
    }

    @Test
    void theJobEndsWithASentenceBeforeItMakesMoreFilesThanALoadTakes() throws Exception {
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = outcome(3)) {
            harness.open();
            harness.processElement(new StreamRecord<>(file("a")));
            harness.snapshot(1, 0);
            harness.notifyOfCompletedCheckpoint(1);
            harness.processElement(new StreamRecord<>(file("b")));
            harness.snapshot(2, 0);
            Outcome third = file("c");
            SuppressRestartsException error = assertThrows(
                    SuppressRestartsException.class, () -> harness.processElement(new StreamRecord<>(third)));
            assertTrue(error.getCause() instanceof UserError);
            assertTrue(error.getCause().getMessage().contains("job.checkpoint.interval"));
        }
    }

    @Test
    void noResultIsWrittenWhereAnItemIsInNoFile() throws Exception {
        try (OneInputStreamOperatorTestHarness<Outcome, Outcome> harness = outcome(50_000)) {
            harness.open();
            harness.processElement(new StreamRecord<>(file("a")));
            harness.processElement(new StreamRecord<>(counts(2)));
            harness.endInput();
            harness.snapshot(1, 0);
            assertThrows(Exception.class, () -> harness.notifyOfCompletedCheckpoint(1));
            assertFalse(Files.exists(folder.resolve("result/result.json")));
        }
    }
}
