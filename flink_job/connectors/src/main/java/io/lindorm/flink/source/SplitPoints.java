package io.lindorm.flink.source;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * Finds values of the first key column that cut a table into ranges, with few point queries and without
 * statistics, which Lindorm has none of: first the last value is closed in on, then the space between the
 * first and the last is cut evenly, and each cut is moved to the next value that exists.
 *
 * <p>This is for an ascending column of integers, instants or text. Cuts in text are made of printable
 * ASCII characters only, whose order is the same in bytes and in characters; where keys differ in other
 * characters first, there are fewer cuts or none, and the scan is right all the same.
 */
final class SplitPoints {

    private static final char LOWEST = ' ';
    private static final char HIGHEST = '~';
    private static final int BASE = HIGHEST - LOWEST + 1;

    /** Characters of text after the common beginning that take part in cutting. */
    private static final int DIGITS = 3;

    private static final int LONGEST_PREFIX = 64;

    /** Steps by which the last value is closed in on: to within 1/32 of the space. */
    private static final int REFINEMENTS = 5;

    /** Asks the table for the first value that is not before the given one. */
    interface Probe {
        /** The value, or null if there is none. */
        Object from(Object value) throws IOException;
    }

    private SplitPoints() {}

    /**
     * Finds values at which splits should begin.
     *
     * @param first the first value in the table
     * @param splits how many splits are wanted
     * @return ascending values after {@code first}, at most {@code splits - 1}, all of them in the table
     */
    static List<Object> find(Object first, int splits, Probe probe) throws IOException {
        if (splits < 2) {
            return List.of();
        }
        if (first instanceof Long) {
            return numbers((Long) first, splits, value -> (Long) probe.from(value));
        }
        if (first instanceof LocalDateTime) {
            return numbers(
                            millis((LocalDateTime) first),
                            splits,
                            value -> {
                                LocalDateTime limit = LocalDateTime.of(9999, 12, 31, 23, 59, 59);
                                if (value > millis(limit)) {
                                    return null;
                                }
                                Object found = probe.from(instant(value));
                                return found == null ? null : Long.valueOf(millis((LocalDateTime) found));
                            })
                    .stream()
                    .map(value -> (Object) instant((Long) value))
                    .toList();
        }
        if (first instanceof String) {
            return texts((String) first, splits, probe);
        }
        return List.of();
    }

    private interface NumberProbe {
        Long from(long value) throws IOException;
    }

    private static List<Object> numbers(long first, int splits, NumberProbe probe) throws IOException {
        // Double the distance until nothing lies beyond, then halve towards the last value.
        BigInteger low = BigInteger.valueOf(first);
        BigInteger known = low;
        BigInteger beyond = null;
        BigInteger greatest = BigInteger.valueOf(Long.MAX_VALUE);
        for (BigInteger step = BigInteger.ONE; beyond == null; step = step.shiftLeft(1)) {
            BigInteger at = known.add(step);
            Long found = at.compareTo(greatest) > 0 ? null : probe.from(at.longValue());
            if (found == null) {
                beyond = at.min(greatest.add(BigInteger.ONE));
            } else {
                known = BigInteger.valueOf(found);
                step = step.max(known.subtract(low));
            }
        }
        for (int i = 0; i < REFINEMENTS && beyond.subtract(known).compareTo(BigInteger.ONE) > 0; i++) {
            BigInteger middle = known.add(beyond).shiftRight(1);
            Long found = probe.from(middle.longValue());
            if (found == null) {
                beyond = middle;
            } else {
                known = BigInteger.valueOf(found);
            }
        }
        BigInteger space = known.subtract(low);
        TreeSet<Long> points = new TreeSet<>();
        for (int i = 1; i < splits; i++) {
            long cut = low.add(space.multiply(BigInteger.valueOf(i)).divide(BigInteger.valueOf(splits))).longValue();
            Long found = cut > first ? probe.from(cut) : null;
            if (found != null) {
                points.add(found);
            }
        }
        return new ArrayList<>(points);
    }

    private static List<Object> texts(String first, int splits, Probe probe) throws IOException {
        // The beginning that all values share: the first value has it, and nothing lies after it.
        int common = 0;
        while (common < Math.min(first.length(), LONGEST_PREFIX)
                && isDigit(first.charAt(common))
                && first.charAt(common) < HIGHEST
                && probe.from(first.substring(0, common) + (char) (first.charAt(common) + 1)) == null) {
            common++;
        }
        String prefix = first.substring(0, common);
        long low = number(first.substring(common));
        if (low < 0) {
            return List.of();
        }
        // The last value's next characters: the greatest number from which something is still found.
        long high = low;
        long beyond = (long) Math.pow(BASE, DIGITS);
        while (beyond - high > 1) {
            long middle = (high + beyond) / 2;
            if (probe.from(prefix + text(middle)) == null) {
                beyond = middle;
            } else {
                high = middle;
            }
        }
        TreeSet<Object> points = new TreeSet<>(KeyValues::compare);
        for (int i = 1; i < splits; i++) {
            long cut = low + (high - low) * i / splits;
            Object found = cut > low ? probe.from(prefix + text(cut)) : null;
            // Only what keeps to the byte order that the cuts were made for; anything else is not needed.
            if (found != null && KeyValues.compare(found, first) > 0) {
                points.add(found);
            }
        }
        return new ArrayList<>(points);
    }

    private static boolean isDigit(char c) {
        return c >= LOWEST && c <= HIGHEST;
    }

    /** The first characters of a text as a number, or -1 where one of them is not printable ASCII. */
    private static long number(String text) {
        long number = 0;
        for (int i = 0; i < DIGITS; i++) {
            if (i < text.length() && !isDigit(text.charAt(i))) {
                return -1;
            }
            number = number * BASE + (i < text.length() ? text.charAt(i) - LOWEST : 0);
        }
        return number;
    }

    private static String text(long number) {
        byte[] characters = new byte[DIGITS];
        for (int i = DIGITS - 1; i >= 0; i--) {
            characters[i] = (byte) (LOWEST + number % BASE);
            number /= BASE;
        }
        return new String(characters, StandardCharsets.US_ASCII);
    }

    private static long millis(LocalDateTime time) {
        return time.toInstant(ZoneOffset.UTC).toEpochMilli();
    }

    private static LocalDateTime instant(long millis) {
        return LocalDateTime.ofEpochSecond(
                Math.floorDiv(millis, 1000L), (int) Math.floorMod(millis, 1000L) * 1_000_000, ZoneOffset.UTC);
    }
}
