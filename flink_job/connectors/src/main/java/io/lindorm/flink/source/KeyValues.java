package io.lindorm.flink.source;

import io.lindorm.flink.UserError;

import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;

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
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The values of key columns as the source holds, binds, compares and stores them.
 *
 * <p>Their classes: Boolean, Long (all integers but the unsigned), BigDecimal (decimals and BIGINT
 * UNSIGNED), Float, Double, String, byte[], LocalDateTime (a TIMESTAMP, in UTC: a class without a zone,
 * so that neither the JVM's nor the driver's zone can shift it), LocalDate, LocalTime.
 */
final class KeyValues {

    private static final Pattern FINER_THAN_NANOS = Pattern.compile("(.*\\.\\d{9})(\\d+)(\\D.*)");

    private static final BigDecimal GREATEST_UNSIGNED = new BigDecimal("18446744073709551615");

    private KeyValues() {}

    /**
     * A value of a row as a key value.
     *
     * @throws UserError for a text that is not UTF-8: it cannot be sent back to the
     *     server unchanged, so the scan could not go on after it without losing or repeating rows
     */
    static Object ofRow(Object internal, LogicalType type, String column) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
            case FLOAT:
            case DOUBLE:
            case VARBINARY:
            case BINARY:
                return internal;
            case TINYINT:
            case SMALLINT:
            case INTEGER:
            case BIGINT:
                return ((Number) internal).longValue();
            case DECIMAL:
                return ((DecimalData) internal).toBigDecimal();
            case CHAR:
            case VARCHAR:
                byte[] bytes = ((StringData) internal).toBytes();
                String text = new String(bytes, StandardCharsets.UTF_8);
                if (text.indexOf('\uFFFD') >= 0
                        && !Arrays.equals(bytes, text.getBytes(StandardCharsets.UTF_8))) {
                    throw new UserError(
                            "a value of the key column `" + column + "` is not valid UTF-8 ("
                                    + text + "), so the rows after it cannot be asked for; mend or delete"
                                    + " that row in Lindorm");
                }
                return text;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return ((TimestampData) internal).toLocalDateTime();
            case DATE:
                return LocalDate.ofEpochDay((Integer) internal);
            case TIME_WITHOUT_TIME_ZONE:
                return LocalTime.ofNanoOfDay((Integer) internal * 1_000_000L);
            default:
                throw new IllegalArgumentException("no key has the type " + type);
        }
    }

    /**
     * A value that a user wrote, as a key value of a column.
     *
     * @throws IllegalArgumentException with a sentence that says what is expected
     */
    static Object parse(String text, String lindormType) {
        String base = LindormType.base(lindormType);
        try {
            switch (base) {
                case "BOOLEAN":
                    return Boolean.valueOf(text);
                case "TINYINT":
                case "SMALLINT":
                case "INTEGER":
                case "BIGINT":
                    return Long.valueOf(text.trim());
                case "BIGINT UNSIGNED":
                case "DECIMAL":
                    return new BigDecimal(text.trim());
                case "FLOAT":
                    return Float.valueOf(text.trim());
                case "DOUBLE":
                    return Double.valueOf(text.trim());
                case "BINARY":
                case "VARBINARY":
                    return HexFormat.of().parseHex(text.trim());
                case "TIMESTAMP":
                    return LocalDateTime.ofInstant(instant(text), ZoneOffset.UTC);
                case "DATE":
                    return LocalDate.parse(text.trim());
                case "TIME":
                    return LocalTime.parse(text.trim());
                default:
                    return text;
            }
        } catch (IllegalArgumentException | DateTimeParseException e) {
            throw new IllegalArgumentException("'" + text + "' is no value of type " + lindormType, e);
        }
    }

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

    /** Compares two values of one column in Lindorm's order: text and bytes by unsigned bytes. */
    @SuppressWarnings("unchecked")
    static int compare(Object a, Object b) {
        if (a instanceof String) {
            return Arrays.compareUnsigned(
                    ((String) a).getBytes(StandardCharsets.UTF_8), ((String) b).getBytes(StandardCharsets.UTF_8));
        }
        if (a instanceof byte[]) {
            return Arrays.compareUnsigned((byte[]) a, (byte[]) b);
        }
        return ((Comparable<Object>) a).compareTo(b);
    }

    /** A value, or the nearest to it that a column of a Lindorm type can hold: a server may refuse others in a bound. */
    static Object within(Object value, String lindormType) {
        switch (LindormType.base(lindormType)) {
            case "TINYINT":
                return Math.max(Byte.MIN_VALUE, Math.min(Byte.MAX_VALUE, (Long) value));
            case "SMALLINT":
                return Math.max(Short.MIN_VALUE, Math.min(Short.MAX_VALUE, (Long) value));
            case "INTEGER":
                return Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, (Long) value));
            case "BIGINT UNSIGNED":
                return ((BigDecimal) value).max(BigDecimal.ZERO).min(GREATEST_UNSIGNED);
            case "DECIMAL":
                if (LindormType.flinkType(lindormType) instanceof DecimalType type) {
                    BigDecimal greatest = new BigDecimal(
                            BigInteger.TEN.pow(type.getPrecision()).subtract(BigInteger.ONE), type.getScale());
                    return ((BigDecimal) value).max(greatest.negate()).min(greatest);
                }
                return value;
            default:
                return value;
        }
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
