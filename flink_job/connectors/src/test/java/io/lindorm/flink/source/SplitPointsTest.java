package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

class SplitPointsTest {

    /** Finds points in a set of values and checks what must always hold. */
    private static List<Object> find(int splits, List<?> values) throws Exception {
        TreeSet<Object> table = new TreeSet<>(KeyValues::compare);
        table.addAll(values);
        AtomicInteger probes = new AtomicInteger();
        List<Object> points = SplitPoints.find(table.first(), splits, value -> {
            probes.incrementAndGet();
            return table.ceiling(value);
        });
        assertTrue(probes.get() < 200 + splits, probes + " probes");
        assertTrue(points.size() < splits, points.toString());
        assertTrue(table.containsAll(points));
        List<Object> sorted = new ArrayList<>(points);
        sorted.sort(KeyValues::compare);
        assertEquals(sorted, points);
        assertTrue(points.stream().allMatch(p -> KeyValues.compare(p, table.first()) > 0));
        return points;
    }

    /** The largest range's share of the values. */
    private static double largestShare(List<Object> points, List<?> values) {
        List<Integer> counts = new ArrayList<>();
        for (int i = 0; i <= points.size(); i++) {
            int at = i;
            counts.add((int) values.stream()
                    .filter(v -> (at == 0 || KeyValues.compare(v, points.get(at - 1)) >= 0)
                            && (at == points.size() || KeyValues.compare(v, points.get(at)) < 0))
                    .count());
        }
        return counts.stream().mapToInt(c -> c).max().getAsInt() / (double) values.size();
    }

    @Test
    void numbers() throws Exception {
        List<Long> values = LongStream.range(0, 5000).map(i -> 1_000_000_007L + i * 131).boxed().toList();
        assertTrue(largestShare(find(16, values), values) < 0.1);
        find(16, List.of(Long.MIN_VALUE, 0L, Long.MAX_VALUE));
        find(16, List.of(Long.MAX_VALUE - 1, Long.MAX_VALUE));
        assertEquals(List.of(), find(16, List.of(5L)));
        assertEquals(List.of(), find(1, values));
    }

    @Test
    void instants() throws Exception {
        LocalDateTime start = LocalDateTime.of(2023, 1, 1, 0, 0);
        List<LocalDateTime> values = IntStream.range(0, 2000).mapToObj(i -> start.plusMinutes(i)).toList();
        assertTrue(largestShare(find(8, values), values) < 0.2);
        find(8, List.of(LocalDateTime.of(1, 1, 1, 0, 0), LocalDateTime.of(9999, 12, 31, 23, 59, 59)));
    }

    @Test
    void texts() throws Exception {
        List<String> values = IntStream.range(0, 5000).mapToObj(i -> String.format("device-%06d", i)).toList();
        assertTrue(largestShare(find(16, values), values) < 0.3);
        List<String> hex = IntStream.range(0, 5000).mapToObj(i -> Integer.toHexString(i * 838_861)).toList();
        assertTrue(largestShare(find(16, hex), hex) < 0.3);
        find(16, List.of("", "a"));
        find(16, List.of("a", "a\u00e9", "a\uD83D\uDE00", "b", "\uFF21"));
        find(16, List.of("\u00e9", "\u00e9a"));
        find(16, List.of("~", "~~", "~~~~"));
        find(16, List.of("same"));
        find(16, List.of("\t", "\n", "x"));
    }

    @Test
    void otherTypesAreNotCut() throws Exception {
        assertEquals(List.of(), find(4, List.of(1.5d, 2.5d)));
    }
}
