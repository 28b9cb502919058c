package io.lindorm.flink.items;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;

/**
 * Writes an item as DynamoDB's JSON, in UTF-8, and counts its size after "DynamoDB Item sizes and formats" in the
 * developer guide. That page gives the size of a number only roughly; here it is never less than the page's.
 */
final class ItemJson {

    private static final byte[] S = ascii("{\"S\":\"");
    private static final byte[] N = ascii("{\"N\":\"");
    private static final byte[] B = ascii("{\"B\":\"");
    private static final byte[] END = ascii("\"}");
    private static final byte[] TRUE = ascii("{\"BOOL\":true}");
    private static final byte[] FALSE = ascii("{\"BOOL\":false}");
    private static final byte[] NULL = ascii("{\"NULL\":true}");
    private static final byte[] HEX = ascii("0123456789abcdef");
    private static final int MAX_NUMBER_BYTES = 21;

    private byte[] buffer = new byte[512];
    private int length;
    private long size;

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    void clear() {
        length = 0;
        size = 0;
    }

    /** How many bytes of JSON there are. */
    int length() {
        return length;
    }

    /** How many bytes DynamoDB counts. */
    long size() {
        return size;
    }

    byte[] toBytes() {
        return Arrays.copyOf(buffer, length);
    }

    /** DynamoDB's type of the value that begins there, {@code {"S":…}}. */
    String typeAt(int at) {
        int from = at + 2;
        int to = from;
        while (buffer[to] != '"') {
            to++;
        }
        return new String(buffer, from, to - from, StandardCharsets.US_ASCII);
    }

    private void room(int bytes) {
        if (buffer.length - length < bytes) {
            buffer = Arrays.copyOf(buffer, Math.max(length + bytes, 2 * buffer.length));
        }
    }

    /** Adds to the size what is no value: names, and what documents cost. */
    void count(int bytes) {
        size += bytes;
    }

    /** Writes JSON as it is. */
    void raw(byte[] json) {
        room(json.length);
        System.arraycopy(json, 0, buffer, length, json.length);
        length += json.length;
    }

    /** Writes what another has written. */
    void raw(ItemJson other) {
        room(other.length);
        System.arraycopy(other.buffer, 0, buffer, length, other.length);
        length += other.length;
    }

    void raw(char json) {
        room(1);
        buffer[length++] = (byte) json;
    }

    /** A string: {@code utf8} must be valid UTF-8. */
    void string(byte[] utf8) {
        raw(S);
        escaped(utf8);
        raw(END);
        size += utf8.length;
    }

    /** A number in decimal digits. */
    @SuppressWarnings("deprecation")
    void number(String digits) {
        raw(N);
        room(digits.length());
        // Deprecated because it is for ASCII only, which digits are.
        digits.getBytes(0, digits.length(), buffer, length);
        length += digits.length();
        raw(END);
        size += numberSize(digits);
    }

    void binary(byte[] value) {
        raw(B);
        raw(Base64.getEncoder().encode(value));
        raw(END);
        size += value.length;
    }

    void bool(boolean value) {
        raw(value ? TRUE : FALSE);
        size++;
    }

    void nul() {
        raw(NULL);
        size++;
    }

    /** The inside of a JSON string. */
    void escaped(byte[] utf8) {
        room(6 * utf8.length);
        int at = length;
        for (byte b : utf8) {
            if (b >= ' ' && b != '"' && b != '\\' || b < 0) {
                buffer[at++] = b;
            } else if (b >= ' ') {
                buffer[at++] = '\\';
                buffer[at++] = b;
            } else {
                buffer[at++] = '\\';
                buffer[at++] = 'u';
                buffer[at++] = '0';
                buffer[at++] = '0';
                buffer[at++] = HEX[b >> 4];
                buffer[at++] = HEX[b & 15];
            }
        }
        length = at;
    }

    private static int numberSize(String number) {
        int digits = 0;
        for (int i = 0; i < number.length() && number.charAt(i) != 'E'; i++) {
            if (Character.isDigit(number.charAt(i))) {
                digits++;
            }
        }
        return Math.min(MAX_NUMBER_BYTES, (digits + 1) / 2 + 1 + (number.startsWith("-") ? 1 : 0));
    }
}
