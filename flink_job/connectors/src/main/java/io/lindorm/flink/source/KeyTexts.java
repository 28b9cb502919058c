package io.lindorm.flink.source;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;

/** The codecs of text and bytes in keys; {@link KeyDigits} says what lies between two of them. */
final class KeyTexts {

    private KeyTexts() {}

    /** Text, in the order of its UTF-8 bytes. A value is a String, or byte[] where it is not UTF-8. */
    static final class Text extends KeyType<Object> {
        /** Whether a shorter text is as if spaces followed, however the server shows it. */
        private final boolean padded;

        Text(boolean padded) {
            super(Object.class);
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

    /** Bytes, in the order of their unsigned values; a user writes them in hexadecimal. */
    static final class Bytes extends KeyType<byte[]> {

        Bytes() {
            super(byte[].class);
        }

        @Override
        byte[] ofRow(Object internal) {
            return (byte[]) internal;
        }

        @Override
        protected byte[] read(String text) {
            return HexFormat.of().parseHex(text.trim());
        }

        @Override
        int compare(byte[] a, byte[] b) {
            return Arrays.compareUnsigned(a, b);
        }

        @Override
        int compareInRows(Object a, Object b) {
            return compare((byte[]) a, (byte[]) b);
        }

        @Override
        byte[] at(byte[] from, byte[] to, long numerator, long denominator) {
            return KeyDigits.bytes(from, to, numerator, denominator);
        }
    }
}
