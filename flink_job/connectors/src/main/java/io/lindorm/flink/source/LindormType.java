package io.lindorm.flink.source;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/**
 * A column's type as Lindorm describes it.
 *
 * @param length of CHAR, VARCHAR, BINARY and VARBINARY, or a DECIMAL's precision; {@link #NONE} where none is said
 * @param scale of a DECIMAL
 */
record LindormType(Base base, int length, int scale) {

    private static final int NONE = -1;

    private static final int MAX_PRECISION = 38;

    private static final Pattern FORM = Pattern.compile(
            "\\s*([A-Za-z]+(?:\\s+UNSIGNED)?)\\s*(?:\\(\\s*(\\d{1,9})\\s*(?:,\\s*(\\d{1,9})\\s*)?\\)\\s*)?",
            Pattern.CASE_INSENSITIVE);

    /** What may stand in parentheses after a type's name. */
    private enum Argument {
        NOTHING,
        LENGTH,
        PRECISION
    }

    /**
     * Lindorm's types (its page "Basic data types"), each with the Flink type that holds all its values and with what a
     * scan must know to have it in a key. A new type is a line here, and one in each of the other places that
     * tests/flink_job/test_column_types.py names. BOOLEAN travels as TINYINT, JSON as text.
     */
    enum Base {
        BOOLEAN(Argument.NOTHING, type -> DataTypes.BOOLEAN(), type -> new KeyType.Booleans()),
        TINYINT(
                Argument.NOTHING,
                type -> DataTypes.TINYINT(),
                type -> new KeyNumbers.Integers(Byte.MIN_VALUE, Byte.MAX_VALUE)),
        SMALLINT(
                Argument.NOTHING,
                type -> DataTypes.SMALLINT(),
                type -> new KeyNumbers.Integers(Short.MIN_VALUE, Short.MAX_VALUE)),
        INTEGER(
                Argument.NOTHING,
                type -> DataTypes.INT(),
                type -> new KeyNumbers.Integers(Integer.MIN_VALUE, Integer.MAX_VALUE)),
        BIGINT(
                Argument.NOTHING,
                type -> DataTypes.BIGINT(),
                type -> new KeyNumbers.Integers(Long.MIN_VALUE, Long.MAX_VALUE)),
        BIGINT_UNSIGNED(
                Argument.NOTHING, type -> DataTypes.DECIMAL(20, 0), type -> KeyNumbers.Decimals.ofUnsignedLongs()),
        FLOAT(Argument.NOTHING, type -> DataTypes.FLOAT(), type -> new KeyNumbers.Floats()),
        DOUBLE(Argument.NOTHING, type -> DataTypes.DOUBLE(), type -> new KeyNumbers.Doubles()),
        // Without precision and scale no decimal of Flink's is sure to hold every value.
        DECIMAL(
                Argument.PRECISION,
                type -> type.hasLength() ? DataTypes.DECIMAL(type.length, type.scale) : DataTypes.STRING(),
                type -> type.hasLength()
                        ? KeyNumbers.Decimals.of(type.length, type.scale)
                        : new KeyNumbers.AnyDecimals()),
        CHAR(Argument.LENGTH, type -> DataTypes.STRING(), type -> new KeyTexts.Text(true)),
        VARCHAR(Argument.LENGTH, type -> DataTypes.STRING(), type -> new KeyTexts.Text(false)),
        STRING(Argument.NOTHING, type -> DataTypes.STRING(), type -> new KeyTexts.Text(false)),
        JSON(Argument.NOTHING, type -> DataTypes.STRING(), null),
        BINARY(Argument.LENGTH, type -> DataTypes.BYTES(), type -> new KeyTexts.Bytes()),
        VARBINARY(Argument.LENGTH, type -> DataTypes.BYTES(), type -> new KeyTexts.Bytes()),
        TIMESTAMP(Argument.NOTHING, type -> DataTypes.TIMESTAMP_LTZ(3), type -> new KeyTimes.Timestamps()),
        DATE(Argument.NOTHING, type -> DataTypes.DATE(), type -> new KeyTimes.Dates()),
        TIME(Argument.NOTHING, type -> DataTypes.TIME(3), type -> new KeyTimes.Times());

        private final Argument argument;
        private final Function<LindormType, DataType> flinkType;
        private final Function<LindormType, KeyType<?>> keyType;

        /**
         * @param keyType null for a type that no key has
         */
        Base(Argument argument, Function<LindormType, DataType> flinkType, Function<LindormType, KeyType<?>> keyType) {
            this.argument = argument;
            this.flinkType = flinkType;
            this.keyType = keyType;
        }

        private boolean takes(int length, int scale) {
            return switch (argument) {
                case NOTHING -> length == NONE;
                case LENGTH -> scale == NONE && (length == NONE || length > 0);
                case PRECISION -> length == NONE || (length >= 1 && length <= MAX_PRECISION && scale <= length);
            };
        }
    }

    private static final Map<String, Base> BY_NAME = Arrays.stream(Base.values())
            .collect(Collectors.toMap(base -> base.name().replace('_', ' '), Function.identity()));

    /**
     * A type as {@code DESCRIBE} says it. Nothing may be left over: {@code INT ARRAY} is no INTEGER.
     *
     * @throws IllegalArgumentException for a type that Lindorm does not have, or that cannot be read
     */
    static LindormType parse(String text) {
        Matcher form = FORM.matcher(text);
        if (form.matches()) {
            String name = form.group(1).toUpperCase(Locale.ROOT).replaceAll("\\s+", " ");
            Base base = BY_NAME.get(name.equals("INT") ? "INTEGER" : name);
            int length = form.group(2) == null ? NONE : Integer.parseInt(form.group(2));
            int scale = form.group(3) == null ? NONE : Integer.parseInt(form.group(3));
            if (base != null && base.takes(length, scale)) {
                return new LindormType(base, length, Math.max(0, scale));
            }
        }
        throw new IllegalArgumentException("the Lindorm type " + text + " cannot be read");
    }

    private boolean hasLength() {
        return length != NONE;
    }

    /**
     * The Flink type that holds every value of a Lindorm type.
     *
     * @throws IllegalArgumentException for a type that has none
     */
    static LogicalType flinkType(String lindormType) {
        LindormType type = parse(lindormType);
        return type.base.flinkType.apply(type).getLogicalType();
    }

    /**
     * What a scan must know of the type to have it in a key.
     *
     * @throws IllegalArgumentException for a type that no key has
     */
    KeyType<?> keyType() {
        if (base.keyType == null) {
            throw new IllegalArgumentException("no key has the type " + base);
        }
        return base.keyType.apply(this);
    }

    /**
     * Whether a column that is declared with a Flink type gives every key value back unchanged. A key
     * that loses anything on the way would send the scan back, or past rows.
     */
    static boolean keepsKeys(LogicalType declared, String lindormType) {
        LogicalType own = flinkType(lindormType);
        LogicalTypeRoot root = declared.getTypeRoot();
        return switch (own.getTypeRoot()) {
            case TINYINT, SMALLINT, INTEGER, BIGINT -> integerSize(root) >= integerSize(own.getTypeRoot());
            case DECIMAL ->
                declared instanceof DecimalType wider
                        && own instanceof DecimalType exact
                        && wider.getScale() >= exact.getScale()
                        && wider.getPrecision() - wider.getScale() >= exact.getPrecision() - exact.getScale();
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE ->
                (root == LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE
                                || root == LogicalTypeRoot.TIMESTAMP_WITHOUT_TIME_ZONE)
                        && LogicalTypeChecks.getPrecision(declared) >= 3;
            default -> root == own.getTypeRoot();
        };
    }

    /** In bytes; 0 for what is no integer. */
    private static int integerSize(LogicalTypeRoot root) {
        return switch (root) {
            case TINYINT -> Byte.BYTES;
            case SMALLINT -> Short.BYTES;
            case INTEGER -> Integer.BYTES;
            case BIGINT -> Long.BYTES;
            default -> 0;
        };
    }
}
