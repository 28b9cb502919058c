package io.lindorm.flink.items;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** How the values of one column, which are not NULL, become attributes. docs/types.md has the table. */
abstract class Conversion {

    /** The digits of a second that an item's times have. */
    private static final int MILLISECONDS = 3;

    private static final long MILLIS_PER_DAY = 86_400_000L;

    /** DynamoDB's types, as far as columns become them; a document is a map, a list or any other. */
    enum Kind {
        S,
        N,
        B,
        BOOL,
        DOCUMENT
    }

    private final Kind kind;

    private Conversion(Kind kind) {
        this.kind = kind;
    }

    Kind kind() {
        return kind;
    }

    /**
     * What is wrong with a column of a key that becomes this: that two of its values are one, and how. Null where
     * values stay apart. The controller's rule of the same is {@code LOSSY_KEYS}; tests/data/key-conversions.json has
     * the cases of both.
     *
     * @param lindormType the column's type as Lindorm has it, or null where that is not known
     */
    static String loss(LogicalType type, JobConfig.TargetType as, String lindormType) {
        switch (type.getTypeRoot()) {
            case CHAR:
            case VARCHAR:
                // A DECIMAL of which precision and scale are not known is text here, of one form for each number.
                boolean isNumber = lindormType != null && lindormType.strip().equalsIgnoreCase("DECIMAL");
                return as == JobConfig.TargetType.Number && !isNumber
                        ? "is text, and as Number 1 and 1.0 would be one key"
                        : null;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                int precision = LogicalTypeChecks.getPrecision(type);
                if (as == JobConfig.TargetType.EpochSeconds && precision > 0) {
                    return "as EpochSeconds loses its milliseconds: rows of one second would be one key";
                }
                return precision > MILLISECONDS
                        ? "has the type " + type.asSummaryString() + " and loses what is below a millisecond"
                        : null;
            default:
                return null;
        }
    }

    /** Writes the column's value of a row. */
    abstract void write(RowData row, ItemJson out) throws Reject;

    /** The value as text in a key template, where it can be: all but documents. */
    abstract String text(RowData row) throws Reject;

    /** What a column becomes where nothing is said. */
    static JobConfig.TargetType defaultTarget(LogicalType type) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return JobConfig.TargetType.Boolean;
            case CHAR:
            case VARCHAR:
                return JobConfig.TargetType.String;
            case BINARY:
            case VARBINARY:
                return JobConfig.TargetType.Binary;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
            case DATE:
            case TIME_WITHOUT_TIME_ZONE:
                return JobConfig.TargetType.Iso8601;
            default:
                return JobConfig.TargetType.Number;
        }
    }

    /**
     * How a column of a type becomes {@code as}, or null where it cannot.
     *
     * @param unit what an integer column counts since 1970, or null where it is not a time
     */
    static Conversion of(String name, int at, LogicalType type, JobConfig.TargetType as, JobConfig.Unit unit) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                switch (as) {
                    case Boolean:
                        return new Bool(at);
                    case String:
                        return new Plain(Kind.S, row -> Boolean.toString(row.getBoolean(at)));
                    case Number:
                        return new Plain(Kind.N, row -> row.getBoolean(at) ? "1" : "0");
                    default:
                        return null;
                }
            case TINYINT:
                return integer(name, as, unit, row -> row.getByte(at));
            case SMALLINT:
                return integer(name, as, unit, row -> row.getShort(at));
            case INTEGER:
                return integer(name, as, unit, row -> row.getInt(at));
            case BIGINT:
                return integer(name, as, unit, row -> row.getLong(at));
            case FLOAT:
                return numeric(as, row -> Values.number(row.getFloat(at), name));
            case DOUBLE:
                return numeric(as, row -> Values.number(row.getDouble(at), name));
            case DECIMAL:
                RowData.FieldGetter decimal = RowData.createFieldGetter(type, at);
                return numeric(
                        as, row -> Values.number(((DecimalData) decimal.getFieldOrNull(row)).toBigDecimal(), name));
            case CHAR:
            case VARCHAR:
                return text(name, at, as);
            case BINARY:
            case VARBINARY:
                switch (as) {
                    case Binary:
                        return new Bytes(row -> row.getBinary(at));
                    case String:
                        return new Plain(Kind.S, row -> Values.hex(row.getBinary(at)));
                    default:
                        return null;
                }
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                RowData.FieldGetter time = RowData.createFieldGetter(type, at);
                return temporal(
                        as,
                        row -> Values.iso8601((TimestampData) time.getFieldOrNull(row), name),
                        row -> ((TimestampData) time.getFieldOrNull(row)).getMillisecond());
            case DATE:
                return temporal(
                        as,
                        row -> Values.iso8601Date(LocalDate.ofEpochDay(row.getInt(at)), name),
                        row -> row.getInt(at) * MILLIS_PER_DAY);
            case TIME_WITHOUT_TIME_ZONE:
                return as == JobConfig.TargetType.Iso8601 || as == JobConfig.TargetType.String
                        ? new Plain(Kind.S, row -> Values.iso8601Time(row.getInt(at)))
                        : null;
            default:
                return null;
        }
    }

    private interface ToText {
        String of(RowData row) throws Reject;
    }

    private interface ToLong {
        long of(RowData row);
    }

    private interface ToBytes {
        byte[] of(RowData row) throws Reject;
    }

    private static Conversion integer(String name, JobConfig.TargetType as, JobConfig.Unit unit, ToLong value) {
        return as == JobConfig.TargetType.Iso8601 && unit != null
                ? new Plain(Kind.S, row -> unit.iso8601(value.of(row), name))
                : numeric(as, row -> Long.toString(value.of(row)));
    }

    private static Conversion numeric(JobConfig.TargetType as, ToText form) {
        switch (as) {
            case Number:
                return new Plain(Kind.N, form);
            case String:
                return new Plain(Kind.S, form);
            default:
                return null;
        }
    }

    private static Conversion text(String name, int at, JobConfig.TargetType as) {
        ToBytes utf8 = row -> Values.utf8(row.getString(at), name);
        ToText text = row -> new String(utf8.of(row), StandardCharsets.UTF_8);
        switch (as) {
            case String:
            case Json:
                return new Text(utf8);
            case Number:
                return new Plain(Kind.N, row -> Values.number(text.of(row), name));
            case Binary:
                return new Bytes(row -> row.getString(at).toBytes());
            case JsonDocument:
                return new Document(text, name);
            default:
                return null;
        }
    }

    private static Conversion temporal(JobConfig.TargetType as, ToText iso8601, ToLong millis) {
        switch (as) {
            case Iso8601:
            case String:
                return new Plain(Kind.S, iso8601);
            case EpochMillis:
                return new Plain(Kind.N, row -> Long.toString(millis.of(row)));
            case EpochSeconds:
                return new Plain(Kind.N, row -> Long.toString(Math.floorDiv(millis.of(row), 1000L)));
            default:
                return null;
        }
    }

    /** A string or a number that is made as ASCII text. */
    private static final class Plain extends Conversion {
        private final ToText form;

        Plain(Kind kind, ToText form) {
            super(kind);
            this.form = form;
        }

        @Override
        void write(RowData row, ItemJson out) throws Reject {
            if (kind() == Kind.N) {
                out.number(form.of(row));
            } else {
                out.string(form.of(row).getBytes(StandardCharsets.ISO_8859_1));
            }
        }

        @Override
        String text(RowData row) throws Reject {
            return form.of(row);
        }
    }

    /** A string that is there as UTF-8 already. */
    private static final class Text extends Conversion {
        private final ToBytes utf8;

        Text(ToBytes utf8) {
            super(Kind.S);
            this.utf8 = utf8;
        }

        @Override
        void write(RowData row, ItemJson out) throws Reject {
            out.string(utf8.of(row));
        }

        @Override
        String text(RowData row) throws Reject {
            return new String(utf8.of(row), StandardCharsets.UTF_8);
        }
    }

    private static final class Bytes extends Conversion {
        private final ToBytes bytes;

        Bytes(ToBytes bytes) {
            super(Kind.B);
            this.bytes = bytes;
        }

        @Override
        void write(RowData row, ItemJson out) throws Reject {
            out.binary(bytes.of(row));
        }

        @Override
        String text(RowData row) throws Reject {
            return Values.hex(bytes.of(row));
        }
    }

    private static final class Bool extends Conversion {
        private final int at;

        Bool(int at) {
            super(Kind.BOOL);
            this.at = at;
        }

        @Override
        void write(RowData row, ItemJson out) {
            out.bool(row.getBoolean(at));
        }

        @Override
        String text(RowData row) {
            return Boolean.toString(row.getBoolean(at));
        }
    }

    private static final class Document extends Conversion {
        private final ToText json;
        private final String name;

        Document(ToText json, String name) {
            super(Kind.DOCUMENT);
            this.json = json;
            this.name = name;
        }

        @Override
        void write(RowData row, ItemJson out) throws Reject {
            JsonDocument.write(json.of(row), name, out);
        }

        @Override
        String text(RowData row) {
            throw new UnsupportedOperationException("a document is no text of a key");
        }
    }
}
