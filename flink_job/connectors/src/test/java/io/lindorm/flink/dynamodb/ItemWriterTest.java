package io.lindorm.flink.dynamodb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import io.lindorm.flink.rate.RateShare;
import io.lindorm.flink.rate.RateShares;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class ItemWriterTest {

    static final RateShares ALONE = new RateShares() {
        @Override
        public int writer() {
            return 0;
        }

        @Override
        public int writers() {
            return 1;
        }

        @Override
        public double ask(double[] request) {
            RateShare share = new RateShare();
            return share.getResult(share.add(request, share.createAccumulator()));
        }
    };

    private FakeDynamoDb dynamoDb;
    private ItemWriter writer;
    private final CompletableFuture<Throwable> failure = new CompletableFuture<>();

    @BeforeEach
    void start() throws IOException {
        dynamoDb = new FakeDynamoDb();
    }

    @AfterEach
    void stop() {
        if (writer != null) {
            writer.close();
        }
        dynamoDb.close();
    }

    private ItemWriter writer(Path rates) {
        return writer(rates, 0, List.of());
    }

    private ItemWriter writer(Path rates, long written, List<Item> waiting) {
        writer = ItemWriter.to(dynamoDb.target(), failure::complete, written, waiting);
        writer.start("test", rates, ALONE);
        return writer;
    }

    static Item item(String partition, long sort, String more, int units) {
        String p = "{\"S\":\"" + partition + "\"}";
        String s = "{\"N\":\"" + sort + "\"}";
        String start = "{\"p\":" + p + ",\"s\":";
        byte[] json = (start + s + more + "}").getBytes(StandardCharsets.UTF_8);
        return new Item(json, 5, 5 + p.length(), start.length(), start.length() + s.length(), units);
    }

    private static Item item(String partition, long sort) {
        return item(partition, sort, "", 1);
    }

    private static void until(BooleanSupplier isSo) throws InterruptedException {
        while (!isSo.getAsBoolean()) {
            Thread.sleep(2);
        }
    }

    private void assertWritten(int items) {
        assertEquals(items, dynamoDb.items().size());
        assertEquals(items, writer.written());
    }

    @Test
    void everyItemArrivesInFullBatchesAndIsCounted() throws Exception {
        writer(null);
        for (int i = 0; i < 5000; i++) {
            writer.write(item("p" + i % 100, i));
        }
        writer.drain();
        assertWritten(5000);
        assertEquals(5000, dynamoDb.puts());
        assertEquals(5000, writer.consumedUnits());
        assertEquals(0, writer.throttled());
        assertTrue(
                dynamoDb.batchSizes().size() < 5000 / 20,
                "batches: " + dynamoDb.batchSizes().size());
    }

    @Test
    void aFewItemsDoNotWaitForMore() throws Exception {
        writer(null);
        writer.write(item("p", 1));
        until(() -> writer.written() == 1);
        assertWritten(1);
    }

    @Test
    void twoItemsOfOneKeyAreNeverInOneBatch() throws Exception {
        writer(null);
        for (int i = 0; i < 100; i++) {
            writer.write(item("p", 1, ",\"v\":{\"N\":\"" + i + "\"}", 1));
        }
        writer.drain();
        assertEquals(100, writer.written());
        assertEquals(1, dynamoDb.items().size());
    }

    @Test
    void whatComesBackUnprocessedIsWrittenLaterAndCountedOnce() throws Exception {
        Map<List<Object>, Integer> tries = new HashMap<>();
        dynamoDb.refuse(item -> tries.merge(FakeDynamoDb.key(item), 1, Integer::sum) <= 2
                && FakeDynamoDb.key(item).hashCode() % 3 == 0);
        writer(null);
        for (int i = 0; i < 1000; i++) {
            writer.write(item("p" + i, i));
        }
        writer.drain();
        assertWritten(1000);
        assertEquals(1000, dynamoDb.puts());
        assertEquals(dynamoDb.refusals(), writer.throttled());
        assertTrue(writer.throttled() > 100);
    }

    @Test
    void aPartitionThatIsFullHoldsUpNobodyElse() throws Exception {
        dynamoDb.refuse(item -> item.path("p").path("S").asText().equals("hot"));
        writer(null);
        for (int i = 0; i < 1500; i++) {
            writer.write(item("hot", i));
        }
        for (int i = 0; i < 3000; i++) {
            writer.write(item("p" + i % 50, i));
        }
        until(() -> writer.written() == 3000);
        assertTrue(dynamoDb.refusals() < 300, "refused: " + dynamoDb.refusals());
        dynamoDb.refuse(item -> false);
        writer.drain();
        assertWritten(4500);
    }

    @ParameterizedTest
    @CsvSource({
        "500, InternalServerError, false", "500, InternalServerError, true", "503, ServiceUnavailable, false",
        "400, ThrottlingException, false", "400, RequestLimitExceeded, false", "400, ExpiredTokenException, false"
    })
    void whatMayPassIsTriedAgain(int status, String code, boolean isDone) throws Exception {
        FakeDynamoDb.Fault fault = new FakeDynamoDb.Fault(status, code, isDone);
        dynamoDb.fail(fault, fault, fault);
        writer(null);
        for (int i = 0; i < 200; i++) {
            writer.write(item("p" + i, i));
        }
        writer.drain();
        assertWritten(200);
    }

    @Test
    void aServerThatGoesAwayAndComesBackLosesNothing() throws Exception {
        writer(null);
        dynamoDb.close();
        for (int i = 0; i < 100; i++) {
            writer.write(item("p" + i, i));
        }
        assertEquals(100, writer.snapshot().waiting().size());
        assertEquals(0, writer.written());
        dynamoDb = new FakeDynamoDb(dynamoDb.port());
        writer.drain();
        assertWritten(100);
    }

    @Test
    void aServerThatStaysAwayEndsTheJobAfterAWhile() throws Exception {
        BatchWrite dynamo = BatchWrite.to(dynamoDb.target(), 4);
        dynamoDb.close();
        writer = new ItemWriter(dynamo, failure::complete, 0, List.of(), Duration.ofSeconds(1));
        writer.start("test", null, ALONE);
        writer.write(item("p", 1));
        assertTold("DynamoDB has not answered for 1 s; the last error: Connect to ");
        assertThrows(IOException.class, () -> writer.snapshot());
    }

    @ParameterizedTest
    @CsvSource({
        "AccessDeniedException, dynamodb:BatchWriteItem",
        "ResourceNotFoundException, does not know the table",
        "UnrecognizedClientException, UnrecognizedClientException"
    })
    void whatNoRetryMendsEndsTheJobWithAReason(String code, String said) throws Exception {
        FakeDynamoDb.Fault fault = new FakeDynamoDb.Fault(400, code, false);
        dynamoDb.fail(fault);
        writer(null);
        writer.write(item("p", 1));
        assertTold(said);
        assertThrows(IOException.class, () -> writer.drain());
        assertThrows(IOException.class, () -> writer.write(item("p", 2)));
        assertThrows(IOException.class, () -> writer.snapshot());
    }

    private void assertTold(String said) throws InterruptedException, ExecutionException {
        UserError error =
                ExceptionUtils.findThrowable(failure.get(), UserError.class).orElseThrow();
        assertTrue(error.getMessage().contains(said), error.getMessage());
    }

    private static Item bad(int i) {
        return item("bad" + i, i, ",\"poison\":{\"BOOL\":true}", 1);
    }

    private List<Long> takenSorts() {
        return writer.takeInvalid().stream()
                .map(invalid -> {
                    assertTrue(
                            invalid.words().startsWith("ValidationException: One or more parameter values"),
                            invalid.words());
                    return Long.valueOf(
                            new String(invalid.item().sortKey(), StandardCharsets.UTF_8).replaceAll("\\D", ""));
                })
                .sorted()
                .toList();
    }

    @Test
    void anItemThatDynamoDbDoesNotTakeIsGivenOutAndTheRestOfItsBatchIsWritten() throws Exception {
        writer(null);
        for (int i = 0; i < 1000; i++) {
            writer.write(i % 100 == 7 ? bad(i) : item("p" + i, i));
        }
        writer.drain();
        assertWritten(990);
        assertEquals(List.of(7L, 107L, 207L, 307L, 407L, 507L, 607L, 707L, 807L, 907L), takenSorts());
        assertEquals(List.of(), writer.takeInvalid());
        assertEquals(0, writer.snapshot().waiting().size());
        // Halves: for one of 25 at most ten more.
        assertTrue(dynamoDb.requests() <= 40 + 10 * 11, dynamoDb.requests() + " requests");
    }

    @Test
    void anImportOfAFewRowsThatDynamoDbDoesNotTakeHasThemAsInvalid() throws Exception {
        writer(null);
        for (int i = 0; i < 3; i++) {
            writer.write(bad(i));
        }
        writer.drain();
        assertEquals(List.of(0L, 1L, 2L), takenSorts());
        assertEquals(0, writer.written());
    }

    @Test
    void manyInvalidItemsSideBySideAreGivenOutWhereTheTableTakesOthers() throws Exception {
        writer(null);
        for (int i = 0; i < 2000; i++) {
            writer.write(i >= 500 && i < 1200 ? bad(i) : item("p" + i, i));
        }
        writer.drain();
        assertWritten(1300);
        assertEquals(700, takenSorts().size());
    }

    @Test
    void aTableThatTakesNoItemEndsTheJobAndMakesNoRejects() throws Exception {
        dynamoDb.invalid(item -> true);
        writer(null);
        assertThrows(IOException.class, () -> {
            for (int i = 0; i < 100_000; i++) {
                writer.write(item("p" + i, i));
            }
            writer.drain();
        });
        assertTold("DynamoDB does not take any item: each of the last 1000 was refused");
        assertEquals(List.of(), writer.takeInvalid());
        // Each item alone, and the batches that it was part of: fewer than two for each, and what was on its way.
        assertTrue(dynamoDb.requests() <= 2 * 1000 + 50 * ItemWriter.MAX_IN_FLIGHT, dynamoDb.requests() + " requests");
    }

    @Test
    void aTableThatTakesNoneOfAFewDozenItemsEndsTheJobToo() throws Exception {
        dynamoDb.invalid(item -> true);
        writer(null);
        for (int i = 0; i < 60; i++) {
            writer.write(item("p" + i, i));
        }
        Exception error = assertThrows(Exception.class, () -> writer.drain());
        assertTrue(
                ExceptionUtils.findThrowable(error, UserError.class)
                        .orElseThrow()
                        .getMessage()
                        .contains("does not take any item: each of the last 60"),
                error.toString());
        assertEquals(List.of(), writer.takeInvalid());
    }

    @Test
    void aTableThatTakesNoMoreItemsAtSomeTimeEndsTheJob() throws Exception {
        writer(null);
        for (int i = 0; i < 500; i++) {
            writer.write(item("p" + i, i));
        }
        writer.drain();
        dynamoDb.invalid(item -> true);
        assertThrows(IOException.class, () -> {
            for (int i = 0; i < 100_000; i++) {
                writer.write(item("p" + i, i));
            }
            writer.drain();
        });
        assertTold("does not take any item");
        assertEquals(List.of(), writer.takeInvalid());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "The provided key element does not match the schema",
                "One or more parameter values were invalid: Missing the key q in the item",
                "One or more parameter values were invalid: Type mismatch for key s expected: S actual: N"
            })
    void aTableWithAnotherKeyEndsTheJobAtOnce(String words) throws Exception {
        dynamoDb.invalid(item -> true, words);
        writer(null);
        writer.write(item("p", 1));
        assertTold(words);
        assertEquals(List.of(), writer.takeInvalid());
    }

    @Test
    void anInvalidItemIsPartOfACheckpointUntilItIsGivenOut() throws Exception {
        dynamoDb.refuse(item -> !item.has("poison"));
        writer(null);
        writer.write(bad(1));
        writer.write(item("p", 2));
        until(() -> dynamoDb.requests() > 3);
        ItemWriter.Snapshot snapshot = writer.snapshot();
        assertEquals(2, snapshot.waiting().size());
        assertEquals(List.of(), writer.takeInvalid());
        writer.close();
        dynamoDb.refuse(item -> false);
        writer(null, snapshot.written(), snapshot.waiting());
        writer.drain();
        assertWritten(1);
        assertEquals(1, writer.snapshot().waiting().size());
        assertEquals(List.of(1L), takenSorts());
        assertEquals(0, writer.snapshot().waiting().size());
    }

    @Test
    void aCheckpointHoldsWhatIsNotAcknowledgedAndARestartWritesIt() throws Exception {
        dynamoDb.refuse(item -> item.path("s").path("N").asInt() % 2 == 0);
        writer(null);
        for (int i = 0; i < 1000; i++) {
            writer.write(item("p" + i, i));
        }
        until(() -> writer.written() == 500);
        ItemWriter.Snapshot snapshot = writer.snapshot();
        assertEquals(500, snapshot.written());
        assertEquals(500, snapshot.waiting().size());
        writer.close();
        dynamoDb.refuse(item -> false);
        writer(null, snapshot.written(), snapshot.waiting());
        writer.drain();
        assertWritten(1000);
    }

    @Test
    void theGivenRateIsKeptInUnitsAndCanBeChanged(@TempDir Path folder) throws Exception {
        Path rates = folder.resolve("rates.json");
        Files.writeString(rates, "{\"version\": 1, \"writeUnitsPerSecond\": 600, \"rowsPerSecond\": null}");
        dynamoDb.costs(3);
        writer(rates);
        feed(3);
        assertRate(600);
        Files.writeString(rates, "{\"version\": 1, \"writeUnitsPerSecond\": 1800, \"rowsPerSecond\": null}");
        assertRate(1800);
    }

    /**
     * Looks at what DynamoDB counts in six seconds: never more than the rate, a second's worth that may have been saved
     * up, and the batches that are on their way; and not much less, though the machine be busy. (RateShareTest and
     * `make bench` are exact.)
     */
    private void assertRate(double rate) throws InterruptedException {
        Thread.sleep(2_000);
        double before = dynamoDb.units();
        long start = System.nanoTime();
        Thread.sleep(6_000);
        double units = dynamoDb.units() - before;
        double seconds = (System.nanoTime() - start) / 1e9;
        assertTrue(units <= rate * (seconds + 1) + 3 * Lanes.MAX_BATCH_ITEMS, units + " in " + seconds + " s");
        assertTrue(units >= 0.85 * rate * seconds, units + " in " + seconds + " s");
    }

    private void feed(int units) {
        CompletableFuture.runAsync(() -> {
            try {
                for (int i = 0; ; i++) {
                    writer.write(item("p" + i, i, "", units));
                }
            } catch (IOException | InterruptedException e) {
                // The test is over.
            }
        });
    }

    @Test
    void unitsThatDynamoDbCountsAndTheItemDoesNotAreKeptToo(@TempDir Path folder) throws Exception {
        Path rates = folder.resolve("rates.json");
        Files.writeString(rates, "{\"version\": 1, \"writeUnitsPerSecond\": 1000, \"rowsPerSecond\": null}");
        dynamoDb.costs(2);
        writer(rates);
        feed(1);
        assertRate(1000);
    }
}
