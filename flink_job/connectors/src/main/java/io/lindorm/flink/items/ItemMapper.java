package io.lindorm.flink.items;

import io.lindorm.flink.UserError;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;

import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Makes an item of a row, after the rules of docs/contracts.md, sections 4 and 5. One instance serves one
 * thread.
 *
 * <p>DynamoDB's limits are from "Quotas" and "Naming rules and data types" in its developer guide.
 */
final class ItemMapper {

    private static final int MAX_PARTITION_KEY_BYTES = 2048;
    private static final int MAX_SORT_KEY_BYTES = 1024;
    private static final long MILLIS_PER_DAY = 86_400_000L;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Makes an attribute of one column's value, which is not NULL. */
    private interface Conversion {
        AttributeValue of(RowData row) throws Reject;
    }

    private record Column(String name, int at, Conversion conversion) {

        AttributeValue value(RowData row) throws Reject {
            return row.isNullAt(at) ? null : conversion.of(row);
        }
    }

    private record Attribute(String name, Column column) {}

    /** A part of the key; {@code own} is the attribute that it is, or null where it is made of text. */
    private record Key(
            String name, JobConfig.KeyType type, KeyTemplate template, List<Column> columns, Attribute own, int maxBytes) {}

    private final RowType rowType;
    private final RowData.FieldGetter[] getters;
    private final List<Attribute> attributes = new ArrayList<>();
    private final Key partition;
    private final Key sort;
    private final boolean writeNulls;
    private final int shards;
    private final int[] sourceKey;
    private final ShardHash hash = new ShardHash();

    /**
     * @param rowType the rows to come
     * @throws UserError where the config asks for what cannot be done
     */
    ItemMapper(JobConfig config, RowType rowType) {
        this.rowType = rowType;
        this.getters = new RowData.FieldGetter[rowType.getFieldCount()];
        for (int i = 0; i < getters.length; i++) {
            getters[i] = RowData.createFieldGetter(rowType.getTypeAt(i), i);
        }
        Set<String> names = new HashSet<>();
        for (JobConfig.Attribute attribute : config.target().attributes()) {
            if (attribute.name() == null || attribute.name().isEmpty()) {
                throw new UserError("column `" + attribute.column() + "` has no attribute name");
            }
            if (!names.add(attribute.name())) {
                throw new UserError("two columns are to become the attribute '" + attribute.name() + "'; rename one");
            }
            attributes.add(new Attribute(attribute.name(), column(attribute.column(), attribute.as())));
        }
        this.shards = config.target().partitionShards() == null ? 0 : config.target().partitionShards();
        this.writeNulls = config.target().nulls() == JobConfig.Nulls.Write;
        this.partition = key(config.target().key().partition(), shards > 0, MAX_PARTITION_KEY_BYTES, names);
        this.sort = config.target().key().sort() == null
                ? null
                : key(config.target().key().sort(), false, MAX_SORT_KEY_BYTES, names);
        if (sort != null && sort.name.equals(partition.name)) {
            throw new UserError("partition and sort key have the same name, '" + sort.name + "'");
        }
        Set<String> inKey = new HashSet<>(partition.template.columns());
        if (sort != null) {
            inKey.addAll(sort.template.columns());
        }
        List<JobConfig.KeyPart> source = config.source().primaryKey();
        this.sourceKey = new int[source.size()];
        for (int i = 0; i < sourceKey.length; i++) {
            String name = source.get(i).name();
            sourceKey[i] = position(name);
            if (!inKey.contains(name)) {
                throw new UserError("the DynamoDB key does not hold the column `" + name + "` of Lindorm's primary key,"
                        + " so rows that differ only in it would overwrite each other; put it into a key template,"
                        + " such as '{…}#{" + name + "}'");
            }
        }
    }

    private int position(String column) {
        int at = rowType.getFieldIndex(column);
        if (at < 0) {
            throw new UserError("the rows have no column `" + column + "`; they have "
                    + String.join(", ", rowType.getFieldNames()));
        }
        return at;
    }

    private Column column(String name, JobConfig.As as) {
        int at = position(name);
        LogicalType type = rowType.getTypeAt(at);
        Conversion conversion = conversion(name, at, type, as == null ? defaultAs(type) : as);
        if (conversion == null) {
            throw new UserError("column `" + name + "` of type " + type + " cannot be stored as " + as);
        }
        return new Column(name, at, conversion);
    }

    private Key key(JobConfig.KeyAttribute key, boolean sharded, int maxBytes, Set<String> attributeNames) {
        KeyTemplate template = KeyTemplate.parse(key.template());
        List<Column> columns = new ArrayList<>();
        for (String name : template.columns()) {
            // A column's text is that of its attribute; one that is no attribute has its type's default.
            columns.add(attributes.stream()
                    .map(Attribute::column)
                    .filter(column -> column.name.equals(name))
                    .findFirst()
                    .orElseGet(() -> column(name, null)));
        }
        Attribute own = null;
        if (template.isColumnAlone()) {
            own = attributes.stream()
                    .filter(a -> a.name.equals(key.name()) && a.column.name.equals(template.columns().get(0)))
                    .findFirst()
                    .orElse(new Attribute(key.name(), columns.get(0)));
            columns = List.of(own.column);
        }
        boolean isText = own == null || sharded;
        if (isText && key.type() != JobConfig.KeyType.S) {
            throw new UserError("the key '" + key.name() + "' is made of text, so its type must be S, not " + key.type());
        }
        boolean isAttribute = own != null && attributes.contains(own);
        if (!isAttribute && attributeNames.contains(key.name())) {
            throw new UserError("the key '" + key.name()
                    + "' has the name of an attribute that is another column; rename one");
        }
        return new Key(key.name(), key.type(), template, columns, isText ? null : own, maxBytes);
    }

    private static JobConfig.As defaultAs(LogicalType type) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return JobConfig.As.Boolean;
            case CHAR:
            case VARCHAR:
                return JobConfig.As.String;
            case BINARY:
            case VARBINARY:
                return JobConfig.As.Binary;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
            case DATE:
            case TIME_WITHOUT_TIME_ZONE:
                return JobConfig.As.Iso8601;
            default:
                return JobConfig.As.Number;
        }
    }

    /** How a column of a type becomes {@code as}, or null where it cannot. */
    private static Conversion conversion(String name, int at, LogicalType type, JobConfig.As as) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                switch (as) {
                    case Boolean:
                        return row -> AttributeValue.builder().bool(row.getBoolean(at)).build();
                    case String:
                        return row -> text(Boolean.toString(row.getBoolean(at)));
                    case Number:
                        return row -> number(row.getBoolean(at) ? "1" : "0");
                    default:
                        return null;
                }
            case TINYINT:
                return numeric(as, row -> Integer.toString(row.getByte(at)));
            case SMALLINT:
                return numeric(as, row -> Integer.toString(row.getShort(at)));
            case INTEGER:
                return numeric(as, row -> Integer.toString(row.getInt(at)));
            case BIGINT:
                return numeric(as, row -> Long.toString(row.getLong(at)));
            case FLOAT:
                return numeric(as, row -> Values.number(row.getFloat(at), name));
            case DOUBLE:
                return numeric(as, row -> Values.number(row.getDouble(at), name));
            case DECIMAL:
                RowData.FieldGetter decimal = RowData.createFieldGetter(type, at);
                return numeric(
                        as,
                        row -> Values.number(((DecimalData) decimal.getFieldOrNull(row)).toBigDecimal(), name));
            case CHAR:
            case VARCHAR:
                return ofText(name, at, as);
            case BINARY:
            case VARBINARY:
                return as == JobConfig.As.Binary
                        ? row -> AttributeValue.builder().b(SdkBytes.fromByteArray(row.getBinary(at))).build()
                        : null;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                RowData.FieldGetter time = RowData.createFieldGetter(type, at);
                return temporal(
                        as,
                        row -> Values.iso8601((TimestampData) time.getFieldOrNull(row)),
                        row -> ((TimestampData) time.getFieldOrNull(row)).getMillisecond());
            case DATE:
                return temporal(
                        as,
                        row -> LocalDate.ofEpochDay(row.getInt(at)).toString(),
                        row -> row.getInt(at) * MILLIS_PER_DAY);
            case TIME_WITHOUT_TIME_ZONE:
                return as == JobConfig.As.Iso8601 || as == JobConfig.As.String
                        ? row -> text(Values.iso8601Time(row.getInt(at)))
                        : null;
            default:
                return null;
        }
    }

    private interface ToText {
        String of(RowData row) throws Reject;
    }

    private interface ToMillis {
        long of(RowData row);
    }

    private static Conversion numeric(JobConfig.As as, ToText form) {
        switch (as) {
            case Number:
                return row -> number(form.of(row));
            case String:
                return row -> text(form.of(row));
            default:
                return null;
        }
    }

    private static Conversion ofText(String name, int at, JobConfig.As as) {
        switch (as) {
            case String:
            case Json:
                return row -> text(Values.text(row.getString(at), name));
            case Number:
                return row -> number(Values.number(Values.text(row.getString(at), name), name));
            case Binary:
                return row -> AttributeValue.builder().b(SdkBytes.fromByteArray(row.getString(at).toBytes())).build();
            case JsonDocument:
                return row -> JsonDocument.parse(Values.text(row.getString(at), name), name);
            default:
                return null;
        }
    }

    private static Conversion temporal(JobConfig.As as, ToText iso8601, ToMillis millis) {
        switch (as) {
            case Iso8601:
            case String:
                return row -> text(iso8601.of(row));
            case EpochMillis:
                return row -> number(Long.toString(millis.of(row)));
            case EpochSeconds:
                return row -> number(Long.toString(Math.floorDiv(millis.of(row), 1000L)));
            default:
                return null;
        }
    }

    private static AttributeValue text(String value) {
        return AttributeValue.builder().s(value).build();
    }

    private static AttributeValue number(String value) {
        return AttributeValue.builder().n(value).build();
    }

    /**
     * Makes the item.
     *
     * @throws Reject where DynamoDB would not take it, or its key would not be the row's own
     */
    Map<String, AttributeValue> item(RowData row) throws Reject {
        Map<String, AttributeValue> item = new HashMap<>((attributes.size() + 2) * 4 / 3 + 1);
        for (Attribute attribute : attributes) {
            AttributeValue value = attribute.column.value(row);
            if (value != null) {
                item.put(attribute.name, value);
            } else if (writeNulls) {
                item.put(attribute.name, AttributeValue.builder().nul(true).build());
            }
        }
        item.put(partition.name, keyValue(partition, row, item, shards));
        if (sort != null) {
            item.put(sort.name, keyValue(sort, row, item, 0));
        }
        long bytes = ItemSize.of(item);
        if (bytes > ItemSize.MAX_ITEM_BYTES) {
            throw new Reject(
                    RejectReason.ItemTooLarge,
                    "the item takes " + bytes + " bytes; DynamoDB takes " + ItemSize.MAX_ITEM_BYTES);
        }
        return item;
    }

    private AttributeValue keyValue(Key key, RowData row, Map<String, AttributeValue> item, int keyShards)
            throws Reject {
        for (Column column : key.columns) {
            if (row.isNullAt(column.at)) {
                throw new Reject(
                        RejectReason.NullKey, "column " + column.name + " is NULL, and is part of the key " + key.name);
            }
        }
        AttributeValue value;
        if (key.own != null) {
            value = item.get(key.own.name);
            if (value == null) {
                value = key.own.column.value(row);
            }
        } else {
            List<String> values = new ArrayList<>(key.columns.size());
            for (Column column : key.columns) {
                values.add(asText(column.value(row), column.name));
            }
            String text = key.template.fill(values);
            value = text(keyShards > 0 ? text + "#" + hash.shard(sourceKey(row), keyShards) : text);
        }
        check(key, value);
        return value;
    }

    private static void check(Key key, AttributeValue value) throws Reject {
        int bytes;
        switch (key.type) {
            case S:
                bytes = value.s() == null ? -1 : Values.utf8Length(value.s());
                break;
            case B:
                bytes = value.b() == null ? -1 : value.b().asByteArrayUnsafe().length;
                break;
            default:
                bytes = value.n() == null ? -1 : 1;
        }
        if (bytes < 0) {
            throw new UserError("the key '" + key.name + "' has the type " + key.type + ", but its values are "
                    + value.type() + "; choose another 'as' or another key").endingTheJob();
        }
        if (bytes == 0) {
            throw new Reject(RejectReason.EmptyKey, "the key " + key.name + " is empty");
        }
        if (bytes > key.maxBytes) {
            throw new Reject(
                    RejectReason.KeyTooLong,
                    "the key " + key.name + " has " + bytes + " bytes; DynamoDB takes " + key.maxBytes);
        }
    }

    private static String asText(AttributeValue value, String column) {
        switch (value.type()) {
            case S:
                return value.s();
            case N:
                return value.n();
            case B:
                return Values.hex(value.b().asByteArrayUnsafe());
            case BOOL:
                return value.bool().toString();
            default:
                throw new UserError("column `" + column + "` is a document and cannot be part of a key").endingTheJob();
        }
    }

    /** The canonical bytes of Lindorm's own key, which the shard is made of. */
    List<byte[]> sourceKey(RowData row) throws Reject {
        List<byte[]> key = new ArrayList<>(sourceKey.length);
        for (int at : sourceKey) {
            if (row.isNullAt(at)) {
                throw new Reject(
                        RejectReason.NullKey,
                        "column " + rowType.getFieldNames().get(at) + " is NULL, and is part of the source's key");
            }
            key.add(Values.canonical(row, at, rowType.getTypeAt(at), getters[at]));
        }
        return key;
    }

    /** A rejected row as a line of JSON (docs/contracts.md, section 5). */
    String rejectLine(RowData row, Reject reject) {
        ObjectNode line = JSON.createObjectNode();
        line.put("reason", reject.reason().name());
        line.put("message", reject.getMessage());
        ObjectNode key = line.putObject("key");
        for (int at : sourceKey) {
            put(key, row, at);
        }
        ObjectNode columns = line.putObject("row");
        for (int at = 0; at < getters.length; at++) {
            put(columns, row, at);
        }
        return line.toString();
    }

    /** A value as JSON: numbers that JSON has are numbers, bytes are hexadecimal, the rest is text. */
    private void put(ObjectNode object, RowData row, int at) {
        String name = rowType.getFieldNames().get(at);
        Object value = getters[at].getFieldOrNull(row);
        LogicalTypeRoot root = rowType.getTypeAt(at).getTypeRoot();
        if (value == null) {
            object.putNull(name);
        } else if (value instanceof Boolean) {
            object.put(name, (Boolean) value);
        } else if (root == LogicalTypeRoot.DATE) {
            object.put(name, LocalDate.ofEpochDay((Integer) value).toString());
        } else if (root == LogicalTypeRoot.TIME_WITHOUT_TIME_ZONE) {
            object.put(name, Values.iso8601Time((Integer) value));
        } else if (value instanceof Long || value instanceof Integer || value instanceof Short || value instanceof Byte) {
            object.put(name, ((Number) value).longValue());
        } else if (value instanceof Double && Double.isFinite((Double) value)) {
            object.put(name, (Double) value);
        } else if (value instanceof Float && Float.isFinite((Float) value)) {
            object.put(name, (Float) value);
        } else if (value instanceof DecimalData) {
            object.put(name, ((DecimalData) value).toBigDecimal());
        } else if (value instanceof TimestampData) {
            object.put(name, Values.iso8601((TimestampData) value));
        } else if (value instanceof byte[]) {
            object.put(name, Values.hex((byte[]) value));
        } else if (value instanceof StringData) {
            object.put(name, new String(((StringData) value).toBytes(), StandardCharsets.UTF_8));
        } else {
            object.put(name, value.toString());
        }
    }
}
