package io.lindorm.flink.source;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lindorm's column types: what each is in Flink, and how a value is read from the MySQL protocol.
 *
 * <p>The list of types is Lindorm's "Basic data types" page; BOOLEAN travels as TINYINT, JSON as text.
 */
final class LindormType {

    private static final Pattern FORM =
            Pattern.compile("\\s*([A-Za-z]+(?:\\s+UNSIGNED)?)\\s*(?:\\(\\s*(\\d+)\\s*(?:,\\s*(\\d+)\\s*)?\\))?.*",
                    Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

    private LindormType() {}

    /** The type's name in upper case without its arguments; {@code INT} is {@code INTEGER}. */
    static String base(String lindormType) {
        Matcher form = FORM.matcher(lindormType);
        String base = (form.matches() ? form.group(1) : lindormType).toUpperCase(Locale.ROOT).replaceAll("\\s+", " ");
        return base.equals("INT") ? "INTEGER" : base;
    }

    /**
     * The Flink type that holds every value of a Lindorm type.
     *
     * @throws IllegalArgumentException for a type that has none
     */
    static LogicalType flinkType(String lindormType) {
        switch (base(lindormType)) {
            case "BOOLEAN":
                return DataTypes.BOOLEAN().getLogicalType();
            case "TINYINT":
                return DataTypes.TINYINT().getLogicalType();
            case "SMALLINT":
                return DataTypes.SMALLINT().getLogicalType();
            case "INTEGER":
                return DataTypes.INT().getLogicalType();
            case "BIGINT":
                return DataTypes.BIGINT().getLogicalType();
            case "BIGINT UNSIGNED":
                return DataTypes.DECIMAL(20, 0).getLogicalType();
            case "FLOAT":
                return DataTypes.FLOAT().getLogicalType();
            case "DOUBLE":
                return DataTypes.DOUBLE().getLogicalType();
            case "DECIMAL":
                Matcher form = FORM.matcher(lindormType);
                if (form.matches() && form.group(2) != null) {
                    int scale = form.group(3) == null ? 0 : Integer.parseInt(form.group(3));
                    return DataTypes.DECIMAL(Integer.parseInt(form.group(2)), scale).getLogicalType();
                }
                // Without precision and scale no decimal of Flink's is sure to hold every value.
                return DataTypes.STRING().getLogicalType();
            case "CHAR":
            case "VARCHAR":
            case "STRING":
            case "JSON":
                return DataTypes.STRING().getLogicalType();
            case "BINARY":
            case "VARBINARY":
                return DataTypes.BYTES().getLogicalType();
            case "TIMESTAMP":
                return DataTypes.TIMESTAMP_LTZ(3).getLogicalType();
            case "DATE":
                return DataTypes.DATE().getLogicalType();
            case "TIME":
                return DataTypes.TIME(3).getLogicalType();
            default:
                throw new IllegalArgumentException("the Lindorm type " + lindormType + " cannot be read");
        }
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
                    float value = rows.getFloat(i);
                    return rows.wasNull() ? null : value;
                };
            case DOUBLE:
                return (rows, i) -> {
                    double value = rows.getDouble(i);
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
}
