package io.lindorm.flink.source;

import java.time.LocalDateTime;
import java.time.temporal.ChronoUnit;

/**
 * A half-open range of a time column, narrowed by one comparison after the other. Values are as the column holds them:
 * LocalDateTime in UTC, in whole milliseconds as Lindorm keeps them, or Long for a column that counts time units.
 *
 * @param start the first value inside, or null for none
 * @param end the first value after the range, or null for none
 */
record TimeBounds(Object start, Object end) {

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
        return start != null && KeyValues.compare(start, first) >= 0 ? this : new TimeBounds(first, end);
    }

    private TimeBounds until(Object first) {
        return end != null && KeyValues.compare(end, first) <= 0 ? this : new TimeBounds(start, first);
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
}
