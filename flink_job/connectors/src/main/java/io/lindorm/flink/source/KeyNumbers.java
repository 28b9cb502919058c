package io.lindorm.flink.source;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import org.apache.flink.table.data.DecimalData;

/** The codecs of numbers in keys. */
final class KeyNumbers {

    private KeyNumbers() {}

    private static BigInteger between(BigInteger from, BigInteger to, long numerator, long denominator) {
        return from.add(
                to.subtract(from).multiply(BigInteger.valueOf(numerator)).divide(BigInteger.valueOf(denominator)));
    }

    /** As {@link KeyType#at}, of whole numbers in a range. */
    static BigInteger between(
            BigInteger from, BigInteger to, BigInteger least, BigInteger greatest, long numerator, long denominator) {
        return between(from, to, numerator, denominator).max(least).min(greatest);
    }

    /** As {@link KeyType#at}, of whole numbers in a range. */
    static long between(long from, long to, long least, long greatest, long numerator, long denominator) {
        return between(
                        BigInteger.valueOf(from),
                        BigInteger.valueOf(to),
                        BigInteger.valueOf(least),
                        BigInteger.valueOf(greatest),
                        numerator,
                        denominator)
                .longValue();
    }

    /** Signed integers, of the size of a Java type. */
    static final class Integers extends KeyType.Ordered<Long> {
        private final long least;
        private final long greatest;

        Integers(long least, long greatest) {
            super(Long.class);
            this.least = least;
            this.greatest = greatest;
        }

        @Override
        Long ofRow(Object internal) {
            return ((Number) internal).longValue();
        }

        @Override
        protected Long read(String text) {
            return Math.max(least, Math.min(greatest, Long.parseLong(text.trim())));
        }

        @Override
        Long at(Long from, Long to, long numerator, long denominator) {
            return between(from, to, least, greatest, numerator, denominator);
        }
    }

    private static BigInteger unscaled(BigDecimal value, int scale) {
        return value.setScale(scale, RoundingMode.HALF_EVEN).unscaledValue();
    }

    /** Decimals of a known scale, and whole numbers beyond a long. */
    static final class Decimals extends KeyType.Ordered<BigDecimal> {
        private final BigDecimal least;
        private final BigDecimal greatest;

        private Decimals(BigDecimal least, BigDecimal greatest) {
            super(BigDecimal.class);
            this.least = least;
            this.greatest = greatest;
        }

        static Decimals of(int precision, int scale) {
            BigDecimal greatest = new BigDecimal(BigInteger.TEN.pow(precision).subtract(BigInteger.ONE), scale);
            return new Decimals(greatest.negate(), greatest);
        }

        static Decimals ofUnsignedLongs() {
            return new Decimals(BigDecimal.ZERO, new BigDecimal("18446744073709551615"));
        }

        @Override
        BigDecimal ofRow(Object internal) {
            return ((DecimalData) internal).toBigDecimal();
        }

        @Override
        protected BigDecimal read(String text) {
            BigDecimal value = new BigDecimal(text.trim()).setScale(greatest.scale(), RoundingMode.CEILING);
            return value.max(least).min(greatest);
        }

        @Override
        BigDecimal at(BigDecimal from, BigDecimal to, long numerator, long denominator) {
            int scale = greatest.scale();
            BigInteger value = between(
                    unscaled(from, scale),
                    unscaled(to, scale),
                    least.unscaledValue(),
                    greatest.unscaledValue(),
                    numerator,
                    denominator);
            return new BigDecimal(value, scale);
        }
    }

    /**
     * A DECIMAL that is described without precision and scale. Its values come as text; what the column can hold shows in
     * them alone, so no bound has more digits than they have, before the point or after it.
     */
    static final class AnyDecimals extends KeyType.Ordered<BigDecimal> {

        AnyDecimals() {
            super(BigDecimal.class);
        }

        @Override
        BigDecimal ofRow(Object internal) {
            return internal instanceof DecimalData fixed ? fixed.toBigDecimal() : read(internal.toString());
        }

        @Override
        protected BigDecimal read(String text) {
            return new BigDecimal(text.trim());
        }

        @Override
        int compareInRows(Object a, Object b) {
            return ofRow(a).compareTo(ofRow(b));
        }

        @Override
        BigDecimal at(BigDecimal from, BigDecimal to, long numerator, long denominator) {
            int scale = Math.max(0, Math.max(from.scale(), to.scale()));
            int whole = Math.max(0, Math.max(from.precision() - from.scale(), to.precision() - to.scale()));
            BigInteger greatest = BigInteger.TEN.pow(whole + scale).subtract(BigInteger.ONE);
            BigInteger value = between(
                    unscaled(from, scale), unscaled(to, scale), greatest.negate(), greatest, numerator, denominator);
            return new BigDecimal(value, scale);
        }
    }

    private static double at(double from, double to, long numerator, long denominator) {
        double value = from + (to - from) * ((double) numerator / denominator);
        if (Double.compare(from, to) == 0) {
            return from;
        }
        if (Double.isFinite(value)) {
            return value;
        }
        // One end is infinite or NaN, or their distance is: any number between serves.
        return finite(from) / 2 + finite(to) / 2;
    }

    private static double finite(double value) {
        return Double.isNaN(value) ? Double.MAX_VALUE : Math.max(-Double.MAX_VALUE, Math.min(Double.MAX_VALUE, value));
    }

    private static double checked(double value, String text) {
        if (!Double.isFinite(value)) {
            throw new IllegalArgumentException(text);
        }
        return value;
    }

    /** Binary floating-point numbers, in Java's order: NaN comes after all others. */
    static final class Doubles extends KeyType.Ordered<Double> {

        Doubles() {
            super(Double.class);
        }

        @Override
        Double ofRow(Object internal) {
            return (Double) internal;
        }

        @Override
        protected Double read(String text) {
            return checked(Double.parseDouble(text.trim()), text);
        }

        /** By the bytes of a key -0.0 is before 0.0, as numbers they are the same. */
        @Override
        boolean isEitherFirst(Double a, Double b) {
            return a == 0 && b == 0;
        }

        @Override
        Double at(Double from, Double to, long numerator, long denominator) {
            return KeyNumbers.at(from, to, numerator, denominator);
        }
    }

    /** As {@link Doubles}, of half the size. */
    static final class Floats extends KeyType.Ordered<Float> {

        Floats() {
            super(Float.class);
        }

        @Override
        Float ofRow(Object internal) {
            return (Float) internal;
        }

        @Override
        protected Float read(String text) {
            return (float) checked(Float.parseFloat(text.trim()), text);
        }

        @Override
        boolean isEitherFirst(Float a, Float b) {
            return a == 0 && b == 0;
        }

        @Override
        Float at(Float from, Float to, long numerator, long denominator) {
            double value = KeyNumbers.at((double) from, (double) to, numerator, denominator);
            // Infinite only where both ends are.
            return (float)
                    (Double.isInfinite(value) ? value : Math.max(-Float.MAX_VALUE, Math.min(Float.MAX_VALUE, value)));
        }
    }
}
