package io.lindorm.flink.source;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLDataException;
import java.sql.SQLException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/**
 * Lindorm's column types: what each is in Flink, and how a value is read from the MySQL protocol.
 *
 * <p>The list of types is Lindorm's "Basic data types" page; BOOLEAN travels as TINYINT, JSON as text.
 *
 * @param base the type's name in upper case; {@code INT} is {@code INTEGER}
 * @param length of CHAR, VARCHAR, BINARY and VARBINARY, or a DECIMAL's precision; {@link #NONE} where none is said
 * @param scale of a DECIMAL
 */
record LindormType(String base, int length, int scale) {

    private static final int NONE = -1;

    private static final int MAX_PRECISION = 38;

    private static final Pattern FORM = Pattern.compile(
            "\\s*([A-Za-z]+(?:\\s+UNSIGNED)?)\\s*(?:\\(\\s*(\\d{1,9})\\s*(?:,\\s*(\\d{1,9})\\s*)?\\)\\s*)?",
            Pattern.CASE_INSENSITIVE);

    private static final Set<String> WITHOUT_LENGTH = Set.of(
            "BOOLEAN",
            "TINYINT",
            "SMALLINT",
            "INTEGER",
            "BIGINT",
            "BIGINT UNSIGNED",
            "FLOAT",
            "DOUBLE",
            "STRING",
            "JSON",
            "TIMESTAMP",
            "DATE",
            "TIME");

    private static final Set<String> WITH_LENGTH = Set.of("CHAR", "VARCHAR", "BINARY", "VARBINARY");

    /**
     * A type as {@code DESCRIBE} says it. Nothing may be left over: {@code INT ARRAY} is no INTEGER.
     *
     * @throws IllegalArgumentException for a type that Lindorm does not have, or that cannot be read
     */
    static LindormType parse(String text) {
        Matcher form = FORM.matcher(text);
        if (form.matches()) {
            String name = form.group(1).toUpperCase(Locale.ROOT).replaceAll("\\s+", " ");
            String base = name.equals("INT") ? "INTEGER" : name;
            int length = form.group(2) == null ? NONE : Integer.parseInt(form.group(2));
            int scale = form.group(3) == null ? NONE : Integer.parseInt(form.group(3));
            if (base.equals("DECIMAL")
                    ? length == NONE || (length >= 1 && length <= MAX_PRECISION && scale <= length)
                    : scale == NONE
                            && (length == NONE
                                    ? WITHOUT_LENGTH.contains(base) || WITH_LENGTH.contains(base)
                                    : length > 0 && WITH_LENGTH.contains(base))) {
                return new LindormType(base, length, Math.max(0, scale));
            }
        }
        throw new IllegalArgumentException("the Lindorm type " + text + " cannot be read");
    }

    /** Whether a length, or a precision, is said. */
    boolean hasLength() {
        return length != NONE;
    }

    /**
     * The Flink type that holds every value of a Lindorm type.
     *
     * @throws IllegalArgumentException for a type that has none
     */
    static LogicalType flinkType(String lindormType) {
        LindormType type = parse(lindormType);
        DataType flink = switch (type.base()) {
            case "BOOLEAN" -> DataTypes.BOOLEAN();
            case "TINYINT" -> DataTypes.TINYINT();
            case "SMALLINT" -> DataTypes.SMALLINT();
            case "INTEGER" -> DataTypes.INT();
            case "BIGINT" -> DataTypes.BIGINT();
            case "BIGINT UNSIGNED" -> DataTypes.DECIMAL(20, 0);
            case "FLOAT" -> DataTypes.FLOAT();
            case "DOUBLE" -> DataTypes.DOUBLE();
            // Without precision and scale no decimal of Flink's is sure to hold every value.
            case "DECIMAL" -> type.hasLength() ? DataTypes.DECIMAL(type.length(), type.scale()) : DataTypes.STRING();
            case "BINARY", "VARBINARY" -> DataTypes.BYTES();
            case "TIMESTAMP" -> DataTypes.TIMESTAMP_LTZ(3);
            case "DATE" -> DataTypes.DATE();
            case "TIME" -> DataTypes.TIME(3);
            default -> DataTypes.STRING();
        };
        return flink.getLogicalType();
    }

    /**
     * Whether a column that is declared with a Flink type gives every key value back unchanged. A key
     * that loses anything on the way would send the scan back, or past rows.
     */
    static boolean keepsKeys(LogicalType declared, String lindormType) {
        LogicalType own = flinkType(lindormType);
        LogicalTypeRoot root = declared.getTypeRoot();
        switch (own.getTypeRoot()) {
            case TINYINT:
            case SMALLINT:
            case INTEGER:
            case BIGINT:
                return rank(root) >= rank(own.getTypeRoot());
            case DECIMAL:
                return root == LogicalTypeRoot.DECIMAL
                        && ((DecimalType) declared).getScale() >= ((DecimalType) own).getScale()
                        && ((DecimalType) declared).getPrecision() - ((DecimalType) declared).getScale()
                                >= ((DecimalType) own).getPrecision() - ((DecimalType) own).getScale();
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return (root == LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE
                                || root == LogicalTypeRoot.TIMESTAMP_WITHOUT_TIME_ZONE)
                        && LogicalTypeChecks.getPrecision(declared) >= 3;
            default:
                return root == own.getTypeRoot();
        }
    }

    private static int rank(LogicalTypeRoot root) {
        switch (root) {
            case TINYINT:
                return 1;
            case SMALLINT:
                return 2;
            case INTEGER:
                return 3;
            case BIGINT:
                return 4;
            default:
                return 0;
        }
    }

    /** Reads one column of a result set into Flink's internal form; null for NULL. */
    interface Reader {
        Object read(ResultSet rows, int column) throws SQLException;
    }

    /**
     * How a column of a Flink type is read.
     *
     * @throws IllegalArgumentException for a type that no Lindorm column can be read as
     */
    static Reader reader(LogicalType type) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return (rows, i) -> {
                    boolean value = rows.getBoolean(i);
                    return rows.wasNull() ? null : value;
                };
            case TINYINT:
                return (rows, i) -> {
                    byte value = rows.getByte(i);
                    return rows.wasNull() ? null : value;
                };
            case SMALLINT:
                return (rows, i) -> {
                    short value = rows.getShort(i);
                    return rows.wasNull() ? null : value;
                };
            case INTEGER:
                return (rows, i) -> {
                    int value = rows.getInt(i);
                    return rows.wasNull() ? null : value;
                };
            case BIGINT:
                return (rows, i) -> {
                    long value = rows.getLong(i);
                    return rows.wasNull() ? null : value;
                };
            case FLOAT:
                return (rows, i) -> {
                    float value;
                    try {
                        value = rows.getFloat(i);
                    } catch (SQLDataException e) {
                        return (float) infinite(rows, i, e);
                    }
                    return rows.wasNull() ? null : value;
                };
            case DOUBLE:
                return (rows, i) -> {
                    double value;
                    try {
                        value = rows.getDouble(i);
                    } catch (SQLDataException e) {
                        return infinite(rows, i, e);
                    }
                    return rows.wasNull() ? null : value;
                };
            case DECIMAL:
                int precision = ((DecimalType) type).getPrecision();
                int scale = ((DecimalType) type).getScale();
                return (rows, i) -> {
                    BigDecimal value = rows.getBigDecimal(i);
                    if (value == null) {
                        return null;
                    }
                    DecimalData fitted = DecimalData.fromBigDecimal(value, precision, scale);
                    if (fitted == null || fitted.toBigDecimal().compareTo(value) != 0) {
                        throw new SQLException(
                                value + " does not fit DECIMAL(" + precision + ", " + scale + ")", "22003");
                    }
                    return fitted;
                };
            case CHAR:
            case VARCHAR:
                // Bytes, not a String: what is not UTF-8 is kept as it is, for whoever reads it to judge.
                return (rows, i) -> {
                    byte[] value = rows.getBytes(i);
                    return value == null ? null : StringData.fromBytes(value);
                };
            case BINARY:
            case VARBINARY:
                return ResultSet::getBytes;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return (rows, i) -> {
                    LocalDateTime value = rows.getObject(i, LocalDateTime.class);
                    return value == null ? null : TimestampData.fromLocalDateTime(value);
                };
            case DATE:
                return (rows, i) -> {
                    LocalDate value = rows.getObject(i, LocalDate.class);
                    return value == null ? null : (int) value.toEpochDay();
                };
            case TIME_WITHOUT_TIME_ZONE:
                return (rows, i) -> {
                    LocalTime value = rows.getObject(i, LocalTime.class);
                    return value == null ? null : (int) (value.toNanoOfDay() / 1_000_000L);
                };
            default:
                throw new IllegalArgumentException("no Lindorm column can be read as " + type);
        }
    }

    /** Connector/J takes an infinite number for one out of range, and gives it as text only. */
    private static double infinite(ResultSet rows, int column, SQLDataException refusal) throws SQLException {
        String text = rows.getString(column).toLowerCase(Locale.ROOT);
        if (!text.matches("[+-]?inf(inity)?")) {
            throw refusal;
        }
        return text.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
    }

    /** What a value of a Flink type is that cannot be read: the reason for which the sink rejects its row. */
    static String unreadable(LogicalType type) {
        return switch (type.getTypeRoot()) {
            case TIMESTAMP_WITHOUT_TIME_ZONE, TIMESTAMP_WITH_LOCAL_TIME_ZONE, DATE, TIME_WITHOUT_TIME_ZONE ->
                "TimeOutOfRange";
            case CHAR, VARCHAR, BINARY, VARBINARY -> "InvalidText";
            default -> "NumberOutOfRange";
        };
    }
}
