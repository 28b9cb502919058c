package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.function.IntFunction;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeyCutsTest {

    private static final int PAGE = 20;

    private static TreeSet<Key> table(PrimaryKey key, int rows, IntFunction<Key> row) {
        TreeSet<Key> table = new TreeSet<>(key::compare);
        for (int i = 0; i < rows; i++) {
            table.add(row.apply(i));
        }
        return table;
    }

    private static KeyRangeSplit whole(PrimaryKey key, TreeSet<Key> rows) {
        return KeyRangeSplit.of("0", key, rows.first().prefix(1), null);
    }

    /** Plans, checks what must always hold, and returns the rows of each part. */
    private static List<Integer> plan(PrimaryKey key, TreeSet<Key> rows, int parts, boolean backwards)
            throws Exception {
        MemoryTable table = new MemoryTable(key, rows, backwards);
        List<Key> cuts = new KeyCuts(table, PAGE).plan(whole(key, rows), parts);
        assertTrue(table.lookups < KeyCuts.PLAN_LOOKUPS + 150, table.lookups + " lookups");
        assertTrue(cuts.size() < 2 * parts, cuts.size() + " cuts for " + parts + " parts");
        List<Integer> sizes = new ArrayList<>();
        KeyRangeSplit rest = whole(key, rows);
        for (Key cut : cuts) {
            sizes.add(table.left(rest.until(cut)).size());
            rest = rest.from(cut);
        }
        sizes.add(table.left(rest).size());
        assertEquals(rows.size(), sizes.stream().mapToInt(size -> size).sum());
        assertTrue(sizes.stream().allMatch(size -> size > 0), sizes.toString());
        return sizes;
    }

    @RepeatedTest(150)
    void cutsOfAnyTableAreInOrderAndLeaveNoPartEmpty(RepetitionInfo repetition) throws Exception {
        Random random = new Random(repetition.getCurrentRepetition());
        PrimaryKey key = RandomKeys.columns(random);
        TreeSet<Key> rows = RandomKeys.table(key, 1 + random.nextInt(600), random);
        plan(key, rows, 1 + random.nextInt(40), random.nextInt(3) > 0);
    }

    @RepeatedTest(150)
    void aHalfOfAnyRangeLeavesAPageBeforeIt(RepetitionInfo repetition) throws Exception {
        Random random = new Random(repetition.getCurrentRepetition());
        PrimaryKey key = RandomKeys.columns(random);
        TreeSet<Key> rows = RandomKeys.table(key, 1 + random.nextInt(600), random);
        MemoryTable table = new MemoryTable(key, rows, random.nextInt(3) > 0);
        KeyRangeSplit range = whole(key, rows);
        if (random.nextBoolean()) {
            range = range.readTo(
                    rows.stream().skip(random.nextInt(rows.size())).findFirst().orElseThrow(), 0);
        }
        Key half = new KeyCuts(table, PAGE).half(range);
        if (table.left(range).size() <= PAGE) {
            assertEquals(null, half);
            return;
        }
        assertNotNull(half);
        assertTrue(table.left(range.until(half)).size() >= PAGE);
        assertTrue(!table.left(range.from(half)).isEmpty());
        assertEquals(
                table.left(range).size(),
                table.left(range.until(half)).size()
                        + table.left(range.from(half)).size());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void oneFirstKeyIsCutInTheSecondColumn(boolean backwards) throws Exception {
        PrimaryKey key =
                PrimaryKey.of(new KeyColumn("device", "VARCHAR", false), new KeyColumn("ts", "TIMESTAMP", true));
        TreeSet<Key> rows = table(
                key,
                10_000,
                i -> Key.of("only", LocalDateTime.of(2023, 1, 1, 0, 0).plusSeconds(7L * i)));
        List<Integer> sizes = plan(key, rows, 32, backwards);
        assertTrue(sizes.stream().mapToInt(s -> s).max().orElseThrow() <= 2 * 10_000 / 32, sizes.toString());
    }

    @Test
    void fewFirstKeysAreCutInTheSecondColumnEach() throws Exception {
        PrimaryKey key = PrimaryKey.of(new KeyColumn("device", "VARCHAR", true), new KeyColumn("n", "BIGINT", false));
        TreeSet<Key> rows = table(key, 9_000, i -> Key.of("dev-" + i % 3, 1_000_000_000_000L + i));
        List<Integer> sizes = plan(key, rows, 30, true);
        assertTrue(sizes.stream().mapToInt(s -> s).max().orElseThrow() <= 900, sizes.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"device-%06d", "%06d", "%x", "\u8bbe\u5907%d"})
    void textOfDifferentMakeIsCutIntoManyParts(String form) throws Exception {
        PrimaryKey key = PrimaryKey.of(new KeyColumn("device", "VARCHAR", false));
        TreeSet<Key> rows = table(key, 5_000, i -> Key.of(String.format(form, i * 3571L)));
        List<Integer> sizes = plan(key, rows, 32, true);
        // The space is cut evenly, and numbers of different lengths do not fill it so: half of these begin with 1. No
        // query that is cheap tells how many rows lie where, so such a part is cut again when it is read.
        assertTrue(sizes.stream().mapToInt(s -> s).max().orElseThrow() <= 1_060, sizes.toString());
    }

    @Test
    void aBillionRowsCostAFewHundredLookups() throws Exception {
        PrimaryKey key = PrimaryKey.of(new KeyColumn("n", "BIGINT", false));
        int[] lookups = {0};
        // No table: the keys are all numbers from 0 to a billion.
        KeyLookups numbers = new KeyLookups() {
            @Override
            public Key nth(KeyRangeSplit range, int rowsBefore) {
                lookups[0]++;
                long first = range.lastKey() != null
                        ? (Long) range.lastKey().get(0) + 1
                        : (Long) range.lower().get(0);
                long end = range.upper() == null
                        ? 1_000_000_000L
                        : (Long) range.upper().get(0);
                return first + rowsBefore < end ? Key.of(first + rowsBefore) : null;
            }

            @Override
            public Key last(KeyRangeSplit range) {
                lookups[0]++;
                return Key.of((range.upper() == null
                                ? 1_000_000_000L
                                : (Long) range.upper().get(0))
                        - 1);
            }
        };
        assertEquals(
                319,
                new KeyCuts(numbers, 2_000)
                        .plan(KeyRangeSplit.of("0", key, Key.of(0L), null), 320)
                        .size());
        assertTrue(lookups[0] < 330, lookups[0] + " lookups");
    }

    @RepeatedTest(20)
    void halvesOfAZipfTableConvergeWhateverTheServerCanDo(RepetitionInfo repetition) throws Exception {
        Random random = new Random(repetition.getCurrentRepetition());
        PrimaryKey key = PrimaryKey.of(new KeyColumn("device", "VARCHAR", false), new KeyColumn("n", "BIGINT", false));
        TreeSet<Key> rows = table(
                key,
                8_000,
                i -> Key.of(
                        "dev-" + (int) Math.exp(random.nextDouble() * Math.log(500)), (long) random.nextInt(1 << 20)));
        MemoryTable table = new MemoryTable(key, rows, repetition.getCurrentRepetition() % 2 == 0);
        KeyCuts cuts = new KeyCuts(table, PAGE);
        List<KeyRangeSplit> ranges = new ArrayList<>(List.of(whole(key, rows)));
        // Cut the largest again and again, as idle readers do.
        for (int i = 0; i < 60; i++) {
            ranges.sort((a, b) -> table.left(b).size() - table.left(a).size());
            KeyRangeSplit largest = ranges.remove(0);
            Key half = cuts.half(largest);
            ranges.add(largest.until(half));
            ranges.add(largest.from(half));
        }
        int largest = ranges.stream()
                .mapToInt(range -> table.left(range).size())
                .max()
                .orElseThrow();
        assertTrue(largest < 8_000 / 16, largest + " of " + rows.size());
        assertTrue(table.lookups < 60 * 30, table.lookups + " lookups");
    }
}
