package io.lindorm.flink.source;

import java.time.DateTimeException;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What a scan must know of a type to have it in a key: how a value is taken from a row and from a user's text, what
 * comes before what, and what lies between two values. One for each family of Lindorm's types ({@link KeyNumbers},
 * {@link KeyTexts}, {@link KeyTimes}); {@link LindormType} says which type has which.
 *
 * @param <V> the class of the values: Boolean, Long (all integers but the unsigned), BigDecimal (decimals and BIGINT
 *     UNSIGNED), Float, Double, byte[], LocalDateTime (a TIMESTAMP, in UTC: a class without a zone, so that neither the
 *     JVM's nor the driver's zone can shift it), LocalDate, LocalTime; text is String, and byte[] where it is not UTF-8
 */
abstract class KeyType<V> {

    private static final Map<String, KeyType<Object>> KNOWN = new ConcurrentHashMap<>();

    private final Class<V> valueClass;

    KeyType(Class<V> valueClass) {
        this.valueClass = valueClass;
    }

    /**
     * The type of a key column.
     *
     * @param lindormType as {@code DESCRIBE} says it
     * @throws IllegalArgumentException for a type that is none, or that no key has
     */
    static KeyType<Object> of(String lindormType) {
        return KNOWN.computeIfAbsent(lindormType, KeyType::parsed);
    }

    /** Who has a value only knows its column, so the values are of any class here. */
    @SuppressWarnings("unchecked")
    private static KeyType<Object> parsed(String lindormType) {
        return (KeyType<Object>) LindormType.parse(lindormType).keyType();
    }

    /** A value of a row, in Flink's internal form, as a key value. */
    abstract V ofRow(Object internal);

    /**
     * A value that a user wrote, as the nearest that the column can hold.
     *
     * @throws RuntimeException of Java's parsers, for any other text
     */
    protected abstract V read(String text);

    /**
     * As {@link #read}.
     *
     * @throws IllegalArgumentException with a sentence that says what is expected
     */
    final V parse(String text, String lindormType) {
        try {
            return read(text);
        } catch (IllegalArgumentException | DateTimeException | ArithmeticException e) {
            throw new IllegalArgumentException("'" + text + "' is no value of type " + lindormType, e);
        }
    }

    /**
     * A value out of a checkpoint, which a job of an earlier version may have held as text or as another number.
     *
     * @throws IllegalArgumentException for what is no value of the type
     */
    final V typed(Object stored, String lindormType) {
        return valueClass.isInstance(stored) ? valueClass.cast(stored) : parse(stored.toString(), lindormType);
    }

    /** Compares two key values in Lindorm's order. */
    abstract int compare(V a, V b);

    /** Compares two values of rows, in Flink's internal form, as {@link #compare} does their key values. */
    @SuppressWarnings("unchecked")
    int compareInRows(Object a, Object b) {
        return ((Comparable<Object>) a).compareTo(b);
    }

    /** Whether servers differ about which of two different key values comes first. */
    boolean isEitherFirst(V a, V b) {
        return false;
    }

    /**
     * The value {@code numerator / denominator} of the way from one value to another, which may be the smaller one, as if
     * the column's values were evenly spread; one that the column can hold, so it may be one of the two. A server may
     * refuse others in a bound.
     *
     * @param numerator more than the denominator for a value beyond {@code to}
     */
    abstract V at(V from, V to, long numerator, long denominator);

    /** A type whose values Java orders as Lindorm does. */
    abstract static class Ordered<V extends Comparable<? super V>> extends KeyType<V> {

        Ordered(Class<V> valueClass) {
            super(valueClass);
        }

        @Override
        final int compare(V a, V b) {
            return a.compareTo(b);
        }
    }

    static final class Booleans extends Ordered<Boolean> {

        Booleans() {
            super(Boolean.class);
        }

        @Override
        Boolean ofRow(Object internal) {
            return (Boolean) internal;
        }

        @Override
        protected Boolean read(String text) {
            return switch (text.trim().toLowerCase(Locale.ROOT)) {
                case "true", "1" -> true;
                case "false", "0" -> false;
                default -> throw new IllegalArgumentException(text);
            };
        }

        @Override
        Boolean at(Boolean from, Boolean to, long numerator, long denominator) {
            return numerator >= denominator ? to : from;
        }
    }
}
