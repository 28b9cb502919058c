package io.lindorm.flink.source;

import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A half-open range of a time column, narrowed by one comparison after the other. Values are as the column holds them:
 * LocalDateTime in UTC, in whole milliseconds as Lindorm keeps them, or Long for a column that counts time units.
 *
 * @param start the first value inside, or null for none
 * @param end the first value after the range, or null for none
 */
record TimeBounds(Object start, Object end) {

    /** The first and the last TIMESTAMP that Lindorm has (its page on basic data types). */
    static final LocalDateTime FIRST_TIMESTAMP = LocalDateTime.of(1, 1, 1, 0, 0);

    static final LocalDateTime LAST_TIMESTAMP = LocalDateTime.of(9999, 12, 31, 23, 59, 59, 999_000_000);

    private static final BigInteger FIRST_NUMBER = BigInteger.valueOf(Long.MIN_VALUE);
    private static final BigInteger LAST_NUMBER = BigInteger.valueOf(Long.MAX_VALUE);

    private static final Pattern FINER_THAN_NANOS = Pattern.compile("(.*\\.\\d{9})(\\d+)(\\D.*)");

    /**
     * An instant from ISO-8601 text with a zone or offset. A second may have more digits than the nine that an instant
     * has: then it is the next nanosecond, which is after the same rows.
     *
     * @throws DateTimeParseException for any other text
     */
    static Instant instant(String text) {
        Matcher finer = FINER_THAN_NANOS.matcher(text.trim());
        if (!finer.matches()) {
            return OffsetDateTime.parse(text.trim()).toInstant();
        }
        Instant instant = OffsetDateTime.parse(finer.group(1) + finer.group(3)).toInstant();
        return finer.group(2).matches("0+") ? instant : instant.plusNanos(1);
    }

    /**
     * The rows with start <= t < end. Both bounds are rounded up to what the column can hold, so that the range stays
     * half-open and exact; the controller does the same (tests/data/time-bounds.json). A bound beyond all values of the
     * column cannot be sent to the server and need not be.
     *
     * @param start an instant, or null for none
     * @param end an instant, or null for none
     * @param unit what the column counts, or null for a TIMESTAMP
     */
    static TimeBounds of(Instant start, Instant end, LindormOptions.TimeUnit unit) {
        Object first = unit == null ? FIRST_TIMESTAMP : (Object) Long.MIN_VALUE;
        TimeBounds bounds = new TimeBounds(null, null);
        if (start != null) {
            Object from = value(start, unit);
            bounds = from == null ? new TimeBounds(first, first) : bounds.from(from);
        }
        if (end == null) {
            return bounds;
        }
        Object until = value(end, unit);
        // A condition stays even where each value fulfils it: it keeps out NULL.
        return until == null ? bounds.from(first) : bounds.until(until);
    }

    /** The first value of a column that is not before an instant; null where there is none. */
    private static Object value(Instant instant, LindormOptions.TimeUnit unit) {
        if (unit != null) {
            BigInteger number = unit.of(instant).max(FIRST_NUMBER);
            return number.compareTo(LAST_NUMBER) > 0 ? null : (Object) number.longValue();
        }
        LocalDateTime millis = (LocalDateTime) atOrAfter(LocalDateTime.ofInstant(instant, ZoneOffset.UTC));
        return millis.isAfter(LAST_TIMESTAMP) ? null : millis.isBefore(FIRST_TIMESTAMP) ? FIRST_TIMESTAMP : millis;
    }

    /** Whether no value can be inside. */
    boolean isEmpty() {
        return start != null && end != null && compare(start, end) >= 0;
    }

    /**
     * The part of the range whose values compare to {@code value} as the operator says.
     *
     * @param operator one of {@code > >= < <= =}
     * @param value may be finer than what the column holds
     */
    TimeBounds and(String operator, Object value) {
        switch (operator) {
            case ">=":
                return from(atOrAfter(value));
            case ">":
                return from(after(value));
            case "<":
                return until(atOrAfter(value));
            case "<=":
                return until(after(value));
            case "=":
                return from(atOrAfter(value)).until(after(value));
            default:
                throw new IllegalArgumentException("no comparison: " + operator);
        }
    }

    private TimeBounds from(Object first) {
        return start != null && compare(start, first) >= 0 ? this : new TimeBounds(first, end);
    }

    private TimeBounds until(Object first) {
        return end != null && compare(end, first) <= 0 ? this : new TimeBounds(start, first);
    }

    /** The first value of a column that is not before {@code value}. */
    private static Object atOrAfter(Object value) {
        if (value instanceof Long) {
            return value;
        }
        LocalDateTime millis = ((LocalDateTime) value).truncatedTo(ChronoUnit.MILLIS);
        return millis.equals(value) ? millis : millis.plus(1, ChronoUnit.MILLIS);
    }

    /** The first value of a column that is after {@code value}. */
    private static Object after(Object value) {
        return value instanceof Long
                ? (Object) Math.addExact((Long) value, 1L)
                : ((LocalDateTime) value).truncatedTo(ChronoUnit.MILLIS).plus(1, ChronoUnit.MILLIS);
    }

    @SuppressWarnings("unchecked")
    private static int compare(Object a, Object b) {
        return ((Comparable<Object>) a).compareTo(b);
    }
}
