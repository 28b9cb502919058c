package io.lindorm.flink.source;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLDataException;
import java.sql.SQLException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.Locale;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;

/** Reads one column of a result set, from the MySQL protocol, into Flink's internal form; null for NULL. */
interface ColumnReader {

    Object read(ResultSet rows, int column) throws SQLException;

    /**
     * How a column of a Flink type is read.
     *
     * @throws IllegalArgumentException for a type that no Lindorm column can be read as
     */
    static ColumnReader of(LogicalType type) {
        return switch (type.getTypeRoot()) {
            case BOOLEAN -> primitive(ResultSet::getBoolean);
            case TINYINT -> primitive(ResultSet::getByte);
            case SMALLINT -> primitive(ResultSet::getShort);
            case INTEGER -> primitive(ResultSet::getInt);
            case BIGINT -> primitive(ResultSet::getLong);
            case FLOAT -> primitive(ColumnReader::readFloat);
            case DOUBLE -> primitive(ColumnReader::readDouble);
            case DECIMAL -> decimal((DecimalType) type);
            // Bytes, not a String: what is not UTF-8 is kept as it is, for whoever reads it to judge.
            case CHAR, VARCHAR ->
                (rows, i) -> {
                    byte[] value = rows.getBytes(i);
                    return value == null ? null : StringData.fromBytes(value);
                };
            case BINARY, VARBINARY -> ResultSet::getBytes;
            case TIMESTAMP_WITHOUT_TIME_ZONE, TIMESTAMP_WITH_LOCAL_TIME_ZONE ->
                (rows, i) -> {
                    LocalDateTime value = rows.getObject(i, LocalDateTime.class);
                    return value == null ? null : TimestampData.fromLocalDateTime(value);
                };
            case DATE ->
                (rows, i) -> {
                    LocalDate value = rows.getObject(i, LocalDate.class);
                    return value == null ? null : (int) value.toEpochDay();
                };
            case TIME_WITHOUT_TIME_ZONE ->
                (rows, i) -> {
                    LocalTime value = rows.getObject(i, LocalTime.class);
                    return value == null ? null : (int) (value.toNanoOfDay() / 1_000_000L);
                };
            default -> throw new IllegalArgumentException("no Lindorm column can be read as " + type);
        };
    }

    /** Of a type of Java's that has no null: NULL shows only afterwards. */
    private static ColumnReader primitive(ColumnReader getter) {
        return (rows, i) -> {
            Object value = getter.read(rows, i);
            return rows.wasNull() ? null : value;
        };
    }

    private static ColumnReader decimal(DecimalType type) {
        int precision = type.getPrecision();
        int scale = type.getScale();
        return (rows, i) -> {
            BigDecimal value = rows.getBigDecimal(i);
            if (value == null) {
                return null;
            }
            DecimalData fitted = DecimalData.fromBigDecimal(value, precision, scale);
            if (fitted == null || fitted.toBigDecimal().compareTo(value) != 0) {
                throw new SQLException(value + " does not fit DECIMAL(" + precision + ", " + scale + ")", "22003");
            }
            return fitted;
        };
    }

    private static Object readFloat(ResultSet rows, int column) throws SQLException {
        try {
            return rows.getFloat(column);
        } catch (SQLDataException e) {
            return (float) infinite(rows, column, e);
        }
    }

    private static Object readDouble(ResultSet rows, int column) throws SQLException {
        try {
            return rows.getDouble(column);
        } catch (SQLDataException e) {
            return infinite(rows, column, e);
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
