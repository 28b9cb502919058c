package io.lindorm.flink.source;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.Arrays;

/**
 * Values of a key column between, or beyond, two others, as if the column's values were evenly spread.
 *
 * <p>Text is read as a number whose digits are the characters after the common beginning. The digits are
 * the range of characters that the two texts show, widened to all figures or letters where they show some,
 * in the order of Unicode, which is that of UTF-8's bytes.
 */
final class KeyInterpolation {

    /** Characters or bytes after the common beginning that take part. */
    private static final int DIGITS = 8;

    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    private KeyInterpolation() {}

    /**
     * The value {@code numerator / denominator} of the way from one value to another, which may be the
     * smaller one; rounded and cut off at the ends of the type, so it may be one of the two.
     *
     * @param numerator more than the denominator for a value beyond {@code to}
     */
    static Object at(Object from, Object to, long numerator, long denominator) {
        if (from instanceof Long) {
            return clamp(between(big((Long) from), big((Long) to), numerator, denominator), Long.MIN_VALUE, Long.MAX_VALUE)
                    .longValue();
        }
        if (from instanceof Boolean) {
            return numerator >= denominator ? to : from;
        }
        if (from instanceof BigDecimal) {
            int scale = Math.max(((BigDecimal) from).scale(), ((BigDecimal) to).scale());
            return new BigDecimal(
                    between(unscaled((BigDecimal) from, scale), unscaled((BigDecimal) to, scale), numerator, denominator), scale);
        }
        if (from instanceof Double || from instanceof Float) {
            double a = ((Number) from).doubleValue();
            double b = ((Number) to).doubleValue();
            double value = a + (b - a) * ((double) numerator / denominator);
            if (Double.isNaN(value) || Double.isInfinite(value)) {
                // One end is infinite, or their distance: any number between serves.
                value = Double.isInfinite(a) == Double.isInfinite(b) ? a / 2 + b / 2 : Double.isInfinite(a) ? b : a;
            }
            return from instanceof Float ? (Object) (float) value : (Object) value;
        }
        if (from instanceof LocalDateTime) {
            BigInteger nanos = between(nanos((LocalDateTime) from), nanos((LocalDateTime) to), numerator, denominator);
            BigInteger[] parts = nanos.max(nanos(TimeBounds.FIRST_TIMESTAMP)).min(nanos(TimeBounds.LAST_TIMESTAMP))
                    .divideAndRemainder(big(NANOS_PER_SECOND));
            long second = parts[1].signum() < 0 ? parts[0].longValue() - 1 : parts[0].longValue();
            long nano = Math.floorMod(parts[1].longValue(), NANOS_PER_SECOND);
            // Lindorm keeps milliseconds, and a bound must be one that it can hold.
            return LocalDateTime.ofEpochSecond(second, (int) (nano / 1_000_000 * 1_000_000), ZoneOffset.UTC);
        }
        if (from instanceof LocalDate) {
            return LocalDate.ofEpochDay(clamp(
                            between(big(((LocalDate) from).toEpochDay()), big(((LocalDate) to).toEpochDay()), numerator, denominator),
                            TimeBounds.FIRST_TIMESTAMP.toLocalDate().toEpochDay(),
                            TimeBounds.LAST_TIMESTAMP.toLocalDate().toEpochDay())
                    .longValue());
        }
        if (from instanceof LocalTime) {
            // Lindorm's TIME has whole seconds.
            return LocalTime.ofSecondOfDay(clamp(
                            between(big(((LocalTime) from).toSecondOfDay()), big(((LocalTime) to).toSecondOfDay()), numerator, denominator),
                            0,
                            LocalTime.MAX.toSecondOfDay())
                    .longValue());
        }
        if (from instanceof byte[]) {
            int[] a = unsigned((byte[]) from);
            int[] digits = digits(a, unsigned((byte[]) to), 0, 255, numerator, denominator);
            byte[] bytes = new byte[digits.length];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) digits[i];
            }
            return bytes;
        }
        return text((String) from, (String) to, numerator, denominator);
    }

    private static String text(String from, String to, long numerator, long denominator) {
        int[] a = ranks(from);
        int[] b = ranks(to);
        int lowest = Integer.MAX_VALUE;
        int highest = 0;
        int common = common(a, b);
        for (int[] text : new int[][] {a, b}) {
            for (int i = common; i < Math.min(text.length, common + DIGITS); i++) {
                lowest = Math.min(lowest, text[i]);
                highest = Math.max(highest, text[i]);
            }
        }
        for (String alphabet : new String[] {"09", "AZ", "az"}) {
            if (lowest >= alphabet.charAt(0) && lowest <= alphabet.charAt(1)) {
                lowest = alphabet.charAt(0);
            }
            if (highest >= alphabet.charAt(0) && highest <= alphabet.charAt(1)) {
                highest = alphabet.charAt(1);
            }
        }
        StringBuilder result = new StringBuilder();
        for (int rank : digits(a, b, Math.min(lowest, highest), highest, numerator, denominator)) {
            result.appendCodePoint(rank < Character.MIN_SURROGATE ? rank : rank + SURROGATES);
        }
        return result.toString();
    }

    private static final int SURROGATES = Character.MAX_SURROGATE - Character.MIN_SURROGATE + 1;

    /** The characters of a text, numbered without the gap that surrogates leave. */
    private static int[] ranks(String text) {
        return text.codePoints().map(c -> c < Character.MIN_SURROGATE ? c : c - SURROGATES).toArray();
    }

    private static int[] unsigned(byte[] bytes) {
        int[] digits = new int[bytes.length];
        for (int i = 0; i < digits.length; i++) {
            digits[i] = bytes[i] & 0xff;
        }
        return digits;
    }

    private static int common(int[] a, int[] b) {
        int mismatch = Arrays.mismatch(a, b);
        return mismatch < 0 ? a.length : mismatch;
    }

    private static int[] digits(int[] from, int[] to, int lowest, int highest, long numerator, long denominator) {
        int common = common(from, to);
        // One digit more than there are characters: nothing at all, which is before every character.
        BigInteger base = big(highest - lowest + 2L);
        BigInteger greatest = base.pow(DIGITS).subtract(BigInteger.ONE);
        BigInteger number = between(
                        number(from, common, lowest, base), number(to, common, lowest, base), numerator, denominator)
                .max(BigInteger.ZERO)
                .min(greatest);
        int[] suffix = new int[DIGITS];
        for (int i = DIGITS - 1; i >= 0; i--) {
            BigInteger[] parts = number.divideAndRemainder(base);
            suffix[i] = parts[1].intValue();
            number = parts[0];
        }
        int length = 0;
        while (length < DIGITS && suffix[length] > 0) {
            length++;
        }
        int[] result = Arrays.copyOf(from, common + length);
        for (int i = 0; i < length; i++) {
            result[common + i] = lowest + suffix[i] - 1;
        }
        return result;
    }

    private static BigInteger number(int[] text, int start, int lowest, BigInteger base) {
        BigInteger number = BigInteger.ZERO;
        for (int i = start; i < start + DIGITS; i++) {
            number = number.multiply(base);
            if (i < text.length) {
                number = number.add(big(text[i] - lowest + 1L));
            }
        }
        return number;
    }

    private static BigInteger between(BigInteger from, BigInteger to, long numerator, long denominator) {
        return from.add(to.subtract(from).multiply(big(numerator)).divide(big(denominator)));
    }

    private static BigInteger clamp(BigInteger value, long least, long greatest) {
        return value.max(big(least)).min(big(greatest));
    }

    private static BigInteger unscaled(BigDecimal value, int scale) {
        return value.setScale(scale, RoundingMode.UNNECESSARY).unscaledValue();
    }

    private static BigInteger nanos(LocalDateTime time) {
        return big(time.toEpochSecond(ZoneOffset.UTC)).multiply(big(NANOS_PER_SECOND)).add(big(time.getNano()));
    }

    private static BigInteger big(long value) {
        return BigInteger.valueOf(value);
    }
}
