package io.lindorm.flink.source;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Tuples of key values ({@link KeyType} lists their classes) in checkpoints, and instants as users write them. */
final class KeyValues {

    private static final Pattern FINER_THAN_NANOS = Pattern.compile("(.*\\.\\d{9})(\\d+)(\\D.*)");

    private KeyValues() {}

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

    /** Writes a tuple, or null. The form is that of {@link KeyRangeSplitSerializer}. */
    static void write(List<Object> tuple, DataOutput out) throws IOException {
        out.writeInt(tuple == null ? -1 : tuple.size());
        if (tuple == null) {
            return;
        }
        for (Object value : tuple) {
            if (value instanceof Boolean) {
                out.writeByte('?');
                out.writeBoolean((Boolean) value);
            } else if (value instanceof Long) {
                out.writeByte('L');
                out.writeLong((Long) value);
            } else if (value instanceof BigDecimal) {
                out.writeByte('D');
                out.writeInt(((BigDecimal) value).scale());
                writeBytes(((BigDecimal) value).unscaledValue().toByteArray(), out);
            } else if (value instanceof Float) {
                out.writeByte('f');
                out.writeFloat((Float) value);
            } else if (value instanceof Double) {
                out.writeByte('d');
                out.writeDouble((Double) value);
            } else if (value instanceof String) {
                out.writeByte('S');
                writeBytes(((String) value).getBytes(StandardCharsets.UTF_8), out);
            } else if (value instanceof byte[]) {
                out.writeByte('B');
                writeBytes((byte[]) value, out);
            } else if (value instanceof LocalDateTime) {
                out.writeByte('T');
                out.writeLong(((LocalDateTime) value).toEpochSecond(ZoneOffset.UTC));
                out.writeInt(((LocalDateTime) value).getNano());
            } else if (value instanceof LocalDate) {
                out.writeByte('y');
                out.writeLong(((LocalDate) value).toEpochDay());
            } else if (value instanceof LocalTime) {
                out.writeByte('t');
                out.writeLong(((LocalTime) value).toNanoOfDay());
            } else {
                throw new IOException("no key value: " + value.getClass());
            }
        }
    }

    /** Reads what {@link #write} wrote. */
    static List<Object> read(DataInput in) throws IOException {
        int size = in.readInt();
        if (size < 0) {
            return null;
        }
        List<Object> tuple = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
            byte tag = in.readByte();
            switch (tag) {
                case '?' -> tuple.add(in.readBoolean());
                case 'L' -> tuple.add(in.readLong());
                case 'D' -> {
                    int scale = in.readInt();
                    tuple.add(new BigDecimal(new BigInteger(readBytes(in)), scale));
                }
                case 'f' -> tuple.add(in.readFloat());
                case 'd' -> tuple.add(in.readDouble());
                case 'S' -> tuple.add(new String(readBytes(in), StandardCharsets.UTF_8));
                case 'B' -> tuple.add(readBytes(in));
                case 'T' -> {
                    long second = in.readLong();
                    tuple.add(LocalDateTime.ofEpochSecond(second, in.readInt(), ZoneOffset.UTC));
                }
                case 'y' -> tuple.add(LocalDate.ofEpochDay(in.readLong()));
                case 't' -> tuple.add(LocalTime.ofNanoOfDay(in.readLong()));
                default -> throw new IOException("unknown kind of key value: " + tag);
            }
        }
        return tuple;
    }

    private static void writeBytes(byte[] bytes, DataOutput out) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static byte[] readBytes(DataInput in) throws IOException {
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        return bytes;
    }
}
