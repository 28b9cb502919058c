package io.lindorm.flink.items;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.HexFormat;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;

/** Values of rows as texts and numbers, in the forms that DynamoDB takes. */
final class Values {

    /** DynamoDB's numbers: up to 38 significant digits (its page on quotas). */
    static final int MAX_DIGITS = 38;

    /** The greatest and the smallest magnitude of a DynamoDB number: below 1E126, and 1E-130. */
    private static final int MAX_EXPONENT = 125;

    private static final int MIN_EXPONENT = -130;
    /** The first second of the year 1, and that of the year 10000, since 1970. */
    private static final long YEAR_1 = -62_135_596_800L;

    private static final long YEAR_10000 = 253_402_300_800L;

    private static final long[] POWERS_OF_TEN = {1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000
    };

    private static final double DOUBLE_LIMIT = 1e125;
    private static final double DOUBLE_SMALLEST = 1e-129;

    private Values() {}

    /**
     * A text column's bytes.
     *
     * @throws Reject InvalidText where they are not UTF-8
     */
    static byte[] utf8(StringData value, String column) throws Reject {
        byte[] bytes = value.toBytes();
        for (byte b : bytes) {
            if (b < 0) {
                return checked(bytes, column);
            }
        }
        return bytes;
    }

    private static byte[] checked(byte[] bytes, String column) throws Reject {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
        } catch (CharacterCodingException e) {
            throw new Reject(RejectReason.InvalidText, "column " + column + " is not valid UTF-8");
        }
        return bytes;
    }

    /** The exact form of a FLOAT. */
    static String number(float value, String column) throws Reject {
        return Float.isFinite(value) ? plain(Float.toString(value)) : notANumber(Float.toString(value), column);
    }

    /** The exact form of a DOUBLE; at most 17 digits, so only its magnitude can be too much. */
    static String number(double value, String column) throws Reject {
        if (!Double.isFinite(value)) {
            return notANumber(Double.toString(value), column);
        }
        double magnitude = Math.abs(value);
        if (magnitude >= DOUBLE_LIMIT || (magnitude < DOUBLE_SMALLEST && magnitude != 0)) {
            return number(new BigDecimal(Double.toString(value)), column);
        }
        return plain(Double.toString(value));
    }

    /** Java writes {@code 1.0} for 1 and {@code -0.0}; DynamoDB has neither, and gives back 1 and 0. */
    private static String plain(String number) {
        if (!number.endsWith(".0")) {
            return number;
        }
        return number.equals("-0.0") ? "0" : number.substring(0, number.length() - 2);
    }

    private static String notANumber(String value, String column) throws Reject {
        throw new Reject(
                RejectReason.NotANumber, "column " + column + " is " + value + ", which DynamoDB has no number for");
    }

    /** A number that may have more digits or magnitude than DynamoDB takes. */
    static String number(BigDecimal value, String column) throws Reject {
        if (value.signum() == 0) {
            return "0";
        }
        long exponent = (long) value.precision() - value.scale() - 1;
        boolean inRange = exponent <= MAX_EXPONENT && exponent >= MIN_EXPONENT;
        BigDecimal stripped = inRange ? value.stripTrailingZeros() : value;
        if (!inRange || stripped.precision() > MAX_DIGITS) {
            throw new Reject(
                    RejectReason.NumberOutOfRange,
                    "column " + column + " is " + abbreviated(value.toString())
                            + "; DynamoDB takes 38 digits, from 1E-130 to 9.99E+125");
        }
        return Math.abs(exponent) < MAX_DIGITS ? stripped.toPlainString() : stripped.toString();
    }

    /** A text that should be a number. */
    static String number(String text, String column) throws Reject {
        BigDecimal number;
        try {
            number = new BigDecimal(text.trim());
        } catch (NumberFormatException e) {
            throw new Reject(
                    RejectReason.NotANumber,
                    "column " + column + " is '" + abbreviated(text) + "', which is no number");
        }
        return number(number, column);
    }

    /** A value as it is shown in a message. */
    static String abbreviated(String text) {
        return abbreviatedTo(text, 100);
    }

    static String abbreviatedTo(String text, int length) {
        return text.length() <= length ? text : text.substring(0, length) + "…";
    }

    /**
     * ISO-8601 in UTC with milliseconds, always of the same length: {@code 2023-01-01T00:00:00.000Z}.
     *
     * @throws Reject TimeOutOfRange outside the years 1 to 9999, which have four digits and sort as text
     */
    static String iso8601(TimestampData value, String column) throws Reject {
        long millis = value.getMillisecond();
        return iso8601(Math.floorDiv(millis, 1_000L), Math.floorMod(millis, 1_000L), 3, column);
    }

    /** As {@link #iso8601(TimestampData, String)}, with the digits of a second that a count of units has. */
    static String iso8601(long epochSecond, long fraction, int digits, String column) throws Reject {
        if (epochSecond < YEAR_1 || epochSecond >= YEAR_10000) {
            throw outOfYears(column, epochSecond + " seconds after 1970");
        }
        LocalDateTime time = LocalDateTime.ofEpochSecond(epochSecond, 0, ZoneOffset.UTC);
        StringBuilder text = new StringBuilder(21 + digits);
        date(text, time.toLocalDate()).append('T');
        clock(text, time.toLocalTime()).append('.');
        return digits(text, fraction, digits).append('Z').toString();
    }

    private static Reject outOfYears(String column, String value) {
        return new Reject(
                RejectReason.TimeOutOfRange, "column " + column + " is " + value + ", outside the years 1 to 9999");
    }

    /** {@code 2023-01-01}. */
    static String iso8601Date(LocalDate value, String column) throws Reject {
        if (value.getYear() < 1 || value.getYear() > 9999) {
            throw outOfYears(column, value.toString());
        }
        return date(new StringBuilder(10), value).toString();
    }

    /** {@code 12:34:56.789}. */
    static String iso8601Time(int millisOfDay) {
        StringBuilder text = new StringBuilder(12);
        clock(text, LocalTime.ofSecondOfDay(millisOfDay / 1_000)).append('.');
        return digits(text, millisOfDay % 1_000, 3).toString();
    }

    private static StringBuilder date(StringBuilder text, LocalDate date) {
        digits(text, date.getYear(), 4).append('-');
        digits(text, date.getMonthValue(), 2).append('-');
        return digits(text, date.getDayOfMonth(), 2);
    }

    private static StringBuilder clock(StringBuilder text, LocalTime time) {
        digits(text, time.getHour(), 2).append(':');
        digits(text, time.getMinute(), 2).append(':');
        return digits(text, time.getSecond(), 2);
    }

    private static StringBuilder digits(StringBuilder text, long value, int width) {
        for (long next = POWERS_OF_TEN[width - 1]; next > 0; next /= 10) {
            text.append((char) ('0' + value / next % 10));
        }
        return text;
    }

    /**
     * A key column's value in the form that the shard hash is made of (README, "Shards"): it depends on
     * the value alone, not on how the item shows it.
     */
    static byte[] canonical(RowData row, int at, LogicalType type, RowData.FieldGetter getter) {
        Object value = getter.getFieldOrNull(row);
        String text;
        switch (type.getTypeRoot()) {
            case CHAR:
            case VARCHAR:
                return row.getString(at).toBytes();
            case BINARY:
            case VARBINARY:
                return row.getBinary(at);
            case DECIMAL:
                BigDecimal decimal = ((DecimalData) value).toBigDecimal();
                text = decimal.signum() == 0
                        ? "0"
                        : decimal.stripTrailingZeros().toPlainString();
                break;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                text = Long.toString(((TimestampData) value).getMillisecond());
                break;
            case DATE:
                text = LocalDate.ofEpochDay((Integer) value).toString();
                break;
            case TIME_WITHOUT_TIME_ZONE:
                text = iso8601Time((Integer) value);
                break;
            default:
                text = value.toString();
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Bytes as lower-case hexadecimal text, which keeps their order. */
    static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }
}
