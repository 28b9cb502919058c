package io.lindorm.flink.dynamodb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.rate.TokenBucket;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Lanes against a model of DynamoDB's capacity in time that is only counted: a bucket for the table and one for each
 * partition key, each holding a second's worth, as the gate of the embedded stack has them.
 */
class LanesTest {

    private static final long SECOND = 1_000_000_000L;

    private record Flying(long at, List<Item> batch) {}

    /** A writer: what waits in it, and its batches on their way. */
    private static final class Writer {
        private final TokenBucket given;
        private final Lanes lanes;
        private final IntakeLimit intake;
        private final PriorityQueue<Flying> flying = new PriorityQueue<>(Comparator.comparingLong(Flying::at));
        /** As {@link ItemWriter} has it. */
        private int mostFlying = 4;

        Writer(long now) {
            given = new TokenBucket(1, now);
            lanes = new Lanes(given, now);
            intake = new IntakeLimit(lanes);
        }
    }

    /** Writers to a table, for so many seconds. */
    private static final class Run {
        private final List<Writer> writers = new ArrayList<>();
        private final double partitionRate;
        private final long latency = 10_000_000L;
        private final Map<Integer, double[]> partitions = new HashMap<>();
        private final List<Integer> takenBySecond = new ArrayList<>();
        private final List<Integer> refusedBySecond = new ArrayList<>();
        private double tableRate;
        private double tableTokens;
        private boolean givesReasons;
        private final Random dice = new Random(5);
        private double noise;
        private boolean noiseHasReasons;
        private long tableAt;
        private long now = 5 * SECOND;
        private int taken;
        private int refused;
        private int produced;

        Run(double tableRate, double partitionRate) {
            this(tableRate, partitionRate, 1);
        }

        Run(double tableRate, double partitionRate, int writers) {
            this.tableRate = tableRate;
            this.tableTokens = tableRate;
            this.tableAt = now;
            this.partitionRate = partitionRate;
            for (int i = 0; i < writers; i++) {
                this.writers.add(new Writer(now));
            }
        }

        /** A rate that the writers keep together. */
        Run given(double rate) {
            writers.forEach(writer -> writer.given.rate(rate / writers.size(), now));
            return this;
        }

        /** A share of the batches is refused whole, whatever the rate; with a reason that names the table, or none. */
        Run noise(double share, boolean hasReasons) {
            noise = share;
            noiseHasReasons = hasReasons;
            return this;
        }

        private boolean capacity(Item item) {
            tableTokens = Math.min(tableRate, tableTokens + (now - tableAt) / 1e9 * tableRate);
            tableAt = now;
            double[] own = partitions.computeIfAbsent(item.partitionHash(), key -> new double[] {partitionRate, now});
            own[0] = Math.min(partitionRate, own[0] + (now - own[1]) / 1e9 * partitionRate);
            own[1] = now;
            if (tableTokens < item.units() || own[0] < item.units()) {
                return false;
            }
            tableTokens -= item.units();
            own[0] -= item.units();
            return true;
        }

        /** Each writer gets what {@code items} gives next, as long as it has room. */
        void run(double seconds, IntFunction<Item> items) {
            long end = now + (long) (seconds * SECOND);
            long secondEnds = now + SECOND;
            while (now < end) {
                for (Writer writer : writers) {
                    step(writer, items);
                }
                now += 1_000_000;
                if (now >= secondEnds) {
                    takenBySecond.add(taken);
                    refusedBySecond.add(refused);
                    taken = 0;
                    refused = 0;
                    secondEnds += SECOND;
                }
            }
        }

        private void step(Writer writer, IntFunction<Item> items) {
            Lanes lanes = writer.lanes;
            PriorityQueue<Flying> flying = writer.flying;
            while (!writer.intake.isFull(now)) {
                lanes.add(items.apply(produced++));
            }
            while (!flying.isEmpty() && flying.peek().at <= now) {
                land(writer, flying.poll().batch);
            }
            while (flying.size() < writer.mostFlying
                    && lanes.openItems(now) > 0
                    && writer.given.opensIn(25, now) == 0
                    && lanes.tableOpensIn(now) == 0) {
                List<Item> batch = lanes.take(now);
                if (batch.isEmpty()) {
                    break;
                }
                flying.add(new Flying(now + latency / 2 + flying.size() * 1000L, batch));
            }
        }

        private void land(Writer writer, List<Item> batch) {
            Set<Item> back = Collections.newSetFromMap(new IdentityHashMap<>());
            boolean isNoise = dice.nextDouble() < noise;
            for (Item item : batch) {
                if (!isNoise && capacity(item)) {
                    taken++;
                } else {
                    back.add(item);
                }
            }
            refused += back.size();
            writer.mostFlying += back.isEmpty() && writer.mostFlying < ItemWriter.MAX_IN_FLIGHT ? 1 : 0;
            boolean isTable =
                    isNoise ? noiseHasReasons : givesReasons && back.size() == batch.size() && tableTokens < 1;
            writer.lanes.answered(batch, back, isTable, now);
        }

        /** Puts taken in a second, over those from the given one on. */
        double mean(int from) {
            return sum(takenBySecond, from) / (takenBySecond.size() - from);
        }

        /** The share of puts that were refused, over the seconds from the given one on. */
        double refusedShare(int from) {
            return sum(refusedBySecond, from) / (sum(takenBySecond, from) + sum(refusedBySecond, from));
        }

        private static double sum(List<Integer> counts, int from) {
            return counts.stream().skip(from).mapToDouble(Integer::doubleValue).sum();
        }

        @Override
        public String toString() {
            return "taken by second " + takenBySecond + ", refused " + refusedBySecond;
        }
    }

    private static Item item(int partition, int i) {
        return ItemWriterTest.item("d" + partition, i, "", 1);
    }

    /** Devices one after the other, 1,000 rows each, as eight splits give them in pages of 2,000. */
    private static Item neighbour(int i) {
        int split = i / 2000 % 8;
        int row = i / 16_000 * 2000 + i % 2000;
        return item(split * 100_000 + row / 1000, i);
    }

    private static IntFunction<Item> zipf(int keys, double exponent) {
        double[] upTo = new double[keys];
        double sum = 0;
        for (int k = 0; k < keys; k++) {
            sum += Math.pow(k + 1, -exponent);
            upTo[k] = sum;
        }
        double total = sum;
        Random random = new Random(7);
        return i -> {
            int at = java.util.Arrays.binarySearch(upTo, random.nextDouble() * total);
            return item(at < 0 ? -at - 1 : at, i);
        };
    }

    @Test
    void theGivenRateUsesTheTablesCapacityAndNothingIsRefused() {
        Run run = new Run(2000, 1e9);
        run.given(2000);
        run.run(30, i -> item(i, i));
        assertEquals(2000, run.mean(1), 20, run.toString());
        assertEquals(0, run.refusedShare(0));
    }

    @Test
    void withoutARateTheTablesCapacityIsFoundAndUsed() {
        Run run = new Run(2000, 1e9);
        run.run(60, i -> item(i, i));
        assertTrue(run.mean(3) > 0.95 * 2000, run.toString());
        assertTrue(run.refusedShare(0) < 0.02, run.toString());
    }

    @Test
    void theReasonThatDynamoDbGivesIsUsed() {
        Run run = new Run(2000, 1e9);
        run.givesReasons = true;
        run.run(60, i -> item(i % 8, i));
        assertTrue(run.mean(3) > 0.95 * 2000, run.toString());
        assertTrue(run.refusedShare(0) < 0.02, run.toString());
    }

    @Test
    void capacityThatComesBackIsUsedWithinSeconds() {
        Run run = new Run(4000, 1e9);
        run.run(10, i -> item(i, i));
        run.tableRate = 400;
        run.run(20, i -> item(i, i));
        double slow = run.mean(20);
        run.tableRate = 4000;
        run.run(10, i -> item(i, i));
        assertTrue(slow > 0.9 * 400, run.toString());
        assertTrue(run.mean(38) > 0.9 * 4000, run.toString());
        assertTrue(run.refusedShare(0) < 0.03, run.toString());
    }

    @Test
    void neighboursThatShareAKeyUseTheWholeTable() {
        Run run = new Run(2000, 100);
        run.given(2000);
        run.run(90, LanesTest::neighbour);
        assertTrue(run.mean(5) > 0.95 * 2000, run.toString());
        assertTrue(run.refusedShare(0) < 0.02, run.toString());
    }

    @Test
    void zipfKeysUseWhatThePartitionsAllow() {
        Run run = new Run(2000, 100);
        run.given(2000);
        run.run(90, zipf(1000, 1));
        // The most frequent of 1,000 keys has 13.4 % of the items, and its partition takes 100 a second.
        assertTrue(run.mean(5) > 0.9 * Math.min(2000, 100 / 0.134), run.toString());
        assertTrue(run.refusedShare(0) < 0.02, run.toString());
    }

    @Test
    void twoWritersUseWhatTheZipfKeysPartitionsAllow() {
        Run run = new Run(200, 50, 2).given(200);
        run.run(400, zipf(1000, 1.3));
        // The most frequent key has 28.5 % of the items; its backlog has reached its bounds by the second half.
        assertTrue(run.mean(200) > 0.95 * 50 / 0.285, run.toString());
        assertTrue(run.refusedShare(0) < 0.02, run.toString());
    }

    @Test
    void aHotKeyIsWrittenAsFastAsItsPartitionTakesIt() {
        Run run = new Run(2000, 100);
        run.run(60, i -> item(0, i));
        assertEquals(100, run.mean(2), 2, run.toString());
        // In the first second the batches are refused that were on their way together.
        assertTrue(run.refusedShare(1) < 0.02, run.toString());
    }

    private static IntFunction<Item> devices(int devices) {
        return i -> item(i % devices, i);
    }

    @ParameterizedTest
    @CsvSource({
        "10000, 0.1, true",
        "10000, 0.1, false",
        "300, 0.1, true",
        "300, 0.1, false",
        "30, 0.1, false",
        "3, 0.1, false",
        "1, 0.1, true",
        "1, 0.1, false",
        "10000, 0.2, true",
        "300, 0.2, false"
    })
    void refusalsThatHaveNothingToDoWithTheRateCostLittleMoreThanThemselves(
            int devices, double share, boolean hasReasons) {
        Run undisturbed = new Run(1e9, 1e9);
        undisturbed.run(5, devices(devices));
        Run run = new Run(1e9, 1e9).noise(share, hasReasons);
        run.run(6, devices(devices));
        assertTrue(run.mean(1) > 0.6 * undisturbed.mean(1), run + " without them " + undisturbed);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void refusalsOfThatKindBesideAGivenRateLeaveMostOfIt(boolean hasReasons) {
        Run run = new Run(1e9, 1e9).noise(0.1, hasReasons).given(2000);
        run.run(60, i -> item(i, i));
        assertTrue(run.mean(3) > 0.6 * 2000, run.toString());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theTablesCapacityIsFoundBesideRefusalsOfThatKind(boolean hasReasons) {
        Run run = new Run(2000, 1e9).noise(0.1, hasReasons);
        run.run(60, i -> item(i, i));
        assertTrue(run.mean(3) > 0.6 * 2000, run.toString());
        // A tenth, and what finding the limit costs.
        assertTrue(run.refusedShare(1) < 0.2, run.toString());
    }

    @Test
    void itemsOfManyUnitsCountWithAllOfThem() {
        Run run = new Run(1e9, 1e9);
        run.given(100);
        run.run(60, i -> ItemWriterTest.item("d" + i, i, "", 7));
        assertEquals(100.0 / 7, run.mean(1), 0.3, run.toString());
    }

    @Test
    void aBatchTakesOneItemOfEachPartitionInTurn() {
        Lanes lanes = new Lanes(new TokenBucket(1, 0), 0);
        for (int partition = 0; partition < 5; partition++) {
            for (int i = 0; i < 10; i++) {
                lanes.add(item(partition, i));
            }
        }
        List<Item> batch = lanes.take(1);
        assertEquals(25, batch.size());
        for (int i = 0; i < 5; i++) {
            assertEquals(
                    5,
                    batch.stream()
                            .skip(i * 5L)
                            .limit(5)
                            .map(Item::partitionHash)
                            .distinct()
                            .count());
        }
        assertEquals(25, lanes.size());
        assertEquals(25, lanes.items().size());
    }
}
