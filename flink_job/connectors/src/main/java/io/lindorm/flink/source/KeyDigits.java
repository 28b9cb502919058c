package io.lindorm.flink.source;

import java.math.BigInteger;
import java.util.Arrays;

/**
 * Text and bytes between, or beyond, two others.
 *
 * <p>Text is read as a number whose digits are the characters after the common beginning. The digits are
 * the range of characters that the two texts show, widened to all figures or letters where they show some,
 * in the order of Unicode, which is that of UTF-8's bytes.
 */
final class KeyDigits {

    /** Characters or bytes after the common beginning that take part. */
    private static final int DIGITS = 8;

    private KeyDigits() {}

    /** As {@link KeyType#at}. */
    static byte[] bytes(byte[] from, byte[] to, long numerator, long denominator) {
        int[] digits = digits(unsigned(from), unsigned(to), 0, 255, numerator, denominator);
        byte[] bytes = new byte[digits.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) digits[i];
        }
        return bytes;
    }

    /** As {@link KeyType#at}. */
    static String text(String from, String to, long numerator, long denominator) {
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
        return text.codePoints()
                .map(c -> c < Character.MIN_SURROGATE ? c : c - SURROGATES)
                .toArray();
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

    private static BigInteger big(long value) {
        return BigInteger.valueOf(value);
    }
}
