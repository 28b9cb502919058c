package io.lindorm.flink.source;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * What a scan must know of a type to have it in a key: how a value is taken from a row and from a user's text, what
 * comes before what, and what lies between two values. One for each family of Lindorm's types.
 *
 * <p>Classes of values: Boolean, Long (all integers but the unsigned), BigDecimal (decimals and BIGINT UNSIGNED), Float,
 * Double, String (byte[] where it is not UTF-8), byte[], LocalDateTime (a TIMESTAMP, in UTC: a class without a zone, so that neither the JVM's nor the
 * driver's zone can shift it), LocalDate, LocalTime.
 */
abstract class KeyType {

    private static final Map<String, KeyType> KNOWN = new ConcurrentHashMap<>();

    private KeyType() {}

    /**
     * The type of a key column.
     *
     * @param lindormType as {@code DESCRIBE} says it
     * @throws IllegalArgumentException for a type that is none, or that no key has
     */
    static KeyType of(String lindormType) {
        return KNOWN.computeIfAbsent(lindormType, KeyType::parsed);
    }

    private static KeyType parsed(String lindormType) {
        LindormType type = LindormType.parse(lindormType);
        return switch (type.base()) {
            case "BOOLEAN" -> new Booleans();
            case "TINYINT" -> new Integers(Byte.MIN_VALUE, Byte.MAX_VALUE);
            case "SMALLINT" -> new Integers(Short.MIN_VALUE, Short.MAX_VALUE);
            case "INTEGER" -> new Integers(Integer.MIN_VALUE, Integer.MAX_VALUE);
            case "BIGINT" -> new Integers(Long.MIN_VALUE, Long.MAX_VALUE);
            case "BIGINT UNSIGNED" -> new Decimals(BigDecimal.ZERO, Decimals.GREATEST_UNSIGNED);
            case "DECIMAL" -> type.hasLength() ? Decimals.of(type.length(), type.scale()) : new AnyDecimals();
            case "FLOAT" -> new Floats();
            case "DOUBLE" -> new Doubles();
            case "CHAR" -> new Text(true);
            case "VARCHAR", "STRING" -> new Text(false);
            case "BINARY", "VARBINARY" -> new Bytes();
            case "TIMESTAMP" -> new Timestamps();
            case "DATE" -> new Dates();
            case "TIME" -> new Times();
            default -> throw new IllegalArgumentException("no key has the type " + lindormType);
        };
    }

    /** A value of a row, in Flink's internal form, as a key value. */
    abstract Object ofRow(Object internal);

    /**
     * A value that a user wrote, as the nearest that the column can hold.
     *
     * @throws RuntimeException of Java's parsers, for any other text
     */
    protected abstract Object read(String text);

    /**
     * As {@link #read}.
     *
     * @throws IllegalArgumentException with a sentence that says what is expected
     */
    final Object parse(String text, String lindormType) {
        try {
            return read(text);
        } catch (IllegalArgumentException | DateTimeException | ArithmeticException e) {
            throw new IllegalArgumentException("'" + text + "' is no value of type " + lindormType, e);
        }
    }

    /** Compares two key values in Lindorm's order. */
    @SuppressWarnings("unchecked")
    int compare(Object a, Object b) {
        return ((Comparable<Object>) a).compareTo(b);
    }

    /** Compares two values of rows, in Flink's internal form, as {@link #compare} does their key values. */
    @SuppressWarnings("unchecked")
    int compareInRows(Object a, Object b) {
        return ((Comparable<Object>) a).compareTo(b);
    }

    /** Whether servers differ about which of two different key values comes first. */
    boolean isEitherFirst(Object a, Object b) {
        return false;
    }

    /**
     * The value {@code numerator / denominator} of the way from one value to another, which may be the smaller one, as if
     * the column's values were evenly spread; one that the column can hold, so it may be one of the two. A server may
     * refuse others in a bound.
     *
     * @param numerator more than the denominator for a value beyond {@code to}
     */
    abstract Object at(Object from, Object to, long numerator, long denominator);

    private static BigInteger between(BigInteger from, BigInteger to, long numerator, long denominator) {
        return from.add(
                to.subtract(from).multiply(BigInteger.valueOf(numerator)).divide(BigInteger.valueOf(denominator)));
    }

    private static long between(long from, long to, long least, long greatest, long numerator, long denominator) {
        return between(BigInteger.valueOf(from), BigInteger.valueOf(to), numerator, denominator)
                .max(BigInteger.valueOf(least))
                .min(BigInteger.valueOf(greatest))
                .longValue();
    }

    private static final class Booleans extends KeyType {
        @Override
        Object ofRow(Object internal) {
            return internal;
        }

        @Override
        protected Object read(String text) {
            return switch (text.trim().toLowerCase(java.util.Locale.ROOT)) {
                case "true", "1" -> true;
                case "false", "0" -> false;
                default -> throw new IllegalArgumentException(text);
            };
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            return numerator >= denominator ? to : from;
        }
    }

    private static final class Integers extends KeyType {
        private final long least;
        private final long greatest;

        Integers(long least, long greatest) {
            this.least = least;
            this.greatest = greatest;
        }

        @Override
        Object ofRow(Object internal) {
            return ((Number) internal).longValue();
        }

        @Override
        protected Object read(String text) {
            return Math.max(least, Math.min(greatest, Long.parseLong(text.trim())));
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            return between((Long) from, (Long) to, least, greatest, numerator, denominator);
        }
    }

    /** Decimals of a known scale, and whole numbers beyond a long. */
    private static class Decimals extends KeyType {
        static final BigDecimal GREATEST_UNSIGNED = new BigDecimal("18446744073709551615");

        private final BigDecimal least;
        private final BigDecimal greatest;

        Decimals(BigDecimal least, BigDecimal greatest) {
            this.least = least;
            this.greatest = greatest;
        }

        static Decimals of(int precision, int scale) {
            BigDecimal greatest = new BigDecimal(BigInteger.TEN.pow(precision).subtract(BigInteger.ONE), scale);
            return new Decimals(greatest.negate(), greatest);
        }

        @Override
        Object ofRow(Object internal) {
            return ((DecimalData) internal).toBigDecimal();
        }

        @Override
        protected Object read(String text) {
            return within(new BigDecimal(text.trim()).setScale(greatest.scale(), RoundingMode.CEILING));
        }

        private BigDecimal within(BigDecimal value) {
            return value.max(least).min(greatest);
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            int scale = greatest.scale();
            return within(new BigDecimal(
                    between(
                            unscaled((BigDecimal) from, scale),
                            unscaled((BigDecimal) to, scale),
                            numerator,
                            denominator),
                    scale));
        }

        static BigInteger unscaled(BigDecimal value, int scale) {
            return value.setScale(scale, RoundingMode.HALF_EVEN).unscaledValue();
        }
    }

    /**
     * A DECIMAL that is described without precision and scale. Its values come as text; what the column can hold shows in
     * them alone, so no bound has more digits than they have, before the point or after it.
     */
    private static final class AnyDecimals extends KeyType {
        @Override
        Object ofRow(Object internal) {
            return decimal(internal);
        }

        private static BigDecimal decimal(Object internal) {
            return internal instanceof DecimalData fixed
                    ? fixed.toBigDecimal()
                    : new BigDecimal(internal.toString().trim());
        }

        @Override
        protected Object read(String text) {
            return new BigDecimal(text.trim());
        }

        @Override
        int compareInRows(Object a, Object b) {
            return decimal(a).compareTo(decimal(b));
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            BigDecimal a = (BigDecimal) from;
            BigDecimal b = (BigDecimal) to;
            int scale = Math.max(0, Math.max(a.scale(), b.scale()));
            int whole = Math.max(0, Math.max(a.precision() - a.scale(), b.precision() - b.scale()));
            BigInteger greatest = BigInteger.TEN.pow(whole + scale).subtract(BigInteger.ONE);
            BigInteger value =
                    between(Decimals.unscaled(a, scale), Decimals.unscaled(b, scale), numerator, denominator);
            return new BigDecimal(value.max(greatest.negate()).min(greatest), scale);
        }
    }

    /** Binary floating-point numbers, in Java's order: NaN comes after all others. */
    private abstract static class Floating extends KeyType {
        @Override
        Object ofRow(Object internal) {
            return internal;
        }

        /** By the bytes of a key -0.0 is before 0.0, as numbers they are the same. */
        @Override
        boolean isEitherFirst(Object a, Object b) {
            return ((Number) a).doubleValue() == 0 && ((Number) b).doubleValue() == 0;
        }

        protected static double at(double from, double to, long numerator, long denominator) {
            double value = from + (to - from) * ((double) numerator / denominator);
            if (Double.compare(from, to) == 0) {
                return from;
            }
            if (Double.isFinite(value)) {
                return value;
            }
            // One end is infinite or NaN, or their distance is: any number between serves.
            double a = finite(from);
            double b = finite(to);
            return a / 2 + b / 2;
        }

        private static double finite(double value) {
            return Double.isNaN(value)
                    ? Double.MAX_VALUE
                    : Math.max(-Double.MAX_VALUE, Math.min(Double.MAX_VALUE, value));
        }

        protected static double finite(double value, String text) {
            if (!Double.isFinite(value)) {
                throw new IllegalArgumentException(text);
            }
            return value;
        }
    }

    private static final class Doubles extends Floating {
        @Override
        protected Object read(String text) {
            return finite(Double.parseDouble(text.trim()), text);
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            return at((double) (Double) from, (double) (Double) to, numerator, denominator);
        }
    }

    private static final class Floats extends Floating {
        @Override
        protected Object read(String text) {
            return (float) finite(Float.parseFloat(text.trim()), text);
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            double value = at((double) (Float) from, (double) (Float) to, numerator, denominator);
            // Infinite only where both ends are.
            return (float)
                    (Double.isInfinite(value) ? value : Math.max(-Float.MAX_VALUE, Math.min(Float.MAX_VALUE, value)));
        }
    }

    /** Text, in the order of its UTF-8 bytes. */
    private static final class Text extends KeyType {
        /** Whether a shorter text is as if spaces followed, however the server shows it. */
        private final boolean padded;

        Text(boolean padded) {
            this.padded = padded;
        }

        @Override
        Object ofRow(Object internal) {
            return ofBytes(((StringData) internal).toBytes());
        }

        /** A String, or the very bytes where they are not UTF-8: as a String they could not be sent back unchanged. */
        private static Object ofBytes(byte[] bytes) {
            String text = new String(bytes, StandardCharsets.UTF_8);
            return text.indexOf('\uFFFD') >= 0 && !Arrays.equals(bytes, toBytes(text)) ? bytes : text;
        }

        private static byte[] toBytes(Object value) {
            return value instanceof byte[] bytes ? bytes : ((String) value).getBytes(StandardCharsets.UTF_8);
        }

        @Override
        protected Object read(String text) {
            return text;
        }

        @Override
        int compare(Object a, Object b) {
            return compare(toBytes(a), toBytes(b));
        }

        @Override
        int compareInRows(Object a, Object b) {
            if (padded) {
                return compare(((StringData) a).toBytes(), ((StringData) b).toBytes());
            }
            // As BinaryStringData.compareTo, which goes from byte to byte; here a page's rows are compared one by one.
            BinaryStringData x = (BinaryStringData) a;
            BinaryStringData y = (BinaryStringData) b;
            return Arrays.compareUnsigned(
                    x.getSegments()[0].getArray(),
                    x.getOffset(),
                    x.getOffset() + x.getSizeInBytes(),
                    y.getSegments()[0].getArray(),
                    y.getOffset(),
                    y.getOffset() + y.getSizeInBytes());
        }

        private int compare(byte[] a, byte[] b) {
            return padded ? Arrays.compareUnsigned(pad(a, b.length), pad(b, a.length)) : Arrays.compareUnsigned(a, b);
        }

        private static byte[] pad(byte[] bytes, int length) {
            if (bytes.length >= length) {
                return bytes;
            }
            byte[] longer = Arrays.copyOf(bytes, length);
            Arrays.fill(longer, bytes.length, length, (byte) ' ');
            return longer;
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            return from instanceof String a && to instanceof String b
                    ? KeyDigits.text(a, b, numerator, denominator)
                    : ofBytes(KeyDigits.bytes(toBytes(from), toBytes(to), numerator, denominator));
        }
    }

    private static final class Bytes extends KeyType {
        @Override
        Object ofRow(Object internal) {
            return internal;
        }

        @Override
        protected Object read(String text) {
            return HexFormat.of().parseHex(text.trim());
        }

        @Override
        int compare(Object a, Object b) {
            return Arrays.compareUnsigned((byte[]) a, (byte[]) b);
        }

        @Override
        int compareInRows(Object a, Object b) {
            return compare(a, b);
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            return KeyDigits.bytes((byte[]) from, (byte[]) to, numerator, denominator);
        }
    }

    private static final class Timestamps extends KeyType {
        private static final BigInteger NANOS_PER_SECOND = BigInteger.valueOf(1_000_000_000);

        @Override
        Object ofRow(Object internal) {
            return ((TimestampData) internal).toLocalDateTime();
        }

        @Override
        protected Object read(String text) {
            LocalDateTime time = LocalDateTime.ofInstant(KeyValues.instant(text), ZoneOffset.UTC);
            return within(nanos(time));
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            return within(between(nanos((LocalDateTime) from), nanos((LocalDateTime) to), numerator, denominator));
        }

        /** Lindorm keeps milliseconds of the years 1 to 9999. */
        private static LocalDateTime within(BigInteger nanos) {
            BigInteger[] parts = nanos.max(nanos(TimeBounds.FIRST_TIMESTAMP))
                    .min(nanos(TimeBounds.LAST_TIMESTAMP))
                    .divideAndRemainder(NANOS_PER_SECOND);
            long second = parts[1].signum() < 0 ? parts[0].longValue() - 1 : parts[0].longValue();
            long nano = Math.floorMod(parts[1].longValue(), NANOS_PER_SECOND.longValue());
            return LocalDateTime.ofEpochSecond(second, (int) (nano / 1_000_000 * 1_000_000), ZoneOffset.UTC);
        }

        private static BigInteger nanos(LocalDateTime time) {
            return BigInteger.valueOf(time.toEpochSecond(ZoneOffset.UTC))
                    .multiply(NANOS_PER_SECOND)
                    .add(BigInteger.valueOf(time.getNano()));
        }
    }

    private static final class Dates extends KeyType {
        @Override
        Object ofRow(Object internal) {
            return LocalDate.ofEpochDay((Integer) internal);
        }

        @Override
        protected Object read(String text) {
            LocalDate date = LocalDate.parse(text.trim());
            return at(date, date, 1, 1);
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            return LocalDate.ofEpochDay(between(
                    ((LocalDate) from).toEpochDay(),
                    ((LocalDate) to).toEpochDay(),
                    TimeBounds.FIRST_TIMESTAMP.toLocalDate().toEpochDay(),
                    TimeBounds.LAST_TIMESTAMP.toLocalDate().toEpochDay(),
                    numerator,
                    denominator));
        }
    }

    /** Lindorm's TIME has whole seconds. */
    private static final class Times extends KeyType {
        @Override
        Object ofRow(Object internal) {
            return LocalTime.ofNanoOfDay((Integer) internal * 1_000_000L);
        }

        @Override
        protected Object read(String text) {
            return LocalTime.ofSecondOfDay(LocalTime.parse(text.trim()).toSecondOfDay());
        }

        @Override
        Object at(Object from, Object to, long numerator, long denominator) {
            return LocalTime.ofSecondOfDay(between(
                    ((LocalTime) from).toSecondOfDay(),
                    ((LocalTime) to).toSecondOfDay(),
                    0,
                    LocalTime.MAX.toSecondOfDay(),
                    numerator,
                    denominator));
        }
    }
}
