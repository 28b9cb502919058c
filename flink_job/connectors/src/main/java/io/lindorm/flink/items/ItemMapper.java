package io.lindorm.flink.items;

import io.lindorm.flink.UserError;
import io.lindorm.flink.dynamodb.Item;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;

/**
 * Makes an item of a row, after the rules of docs/contracts.md and docs/types.md. One instance serves one
 * thread.
 *
 * <p>DynamoDB's limits are from "Quotas" and "Naming rules and data types" in its developer guide. The controller
 * knows the same ones; tests/data/dynamodb-limits.json has cases for both.
 */
final class ItemMapper {

    /** 400 KB, names and values together. */
    static final int MAX_ITEM_BYTES = 400 * 1024;

    /** Of an attribute's name, also within a document. */
    static final int MAX_NAME_BYTES = 65_535;

    /** Characters of the name of an attribute that is a key. */
    private static final int MAX_KEY_NAME = 255;

    private static final int MAX_PARTITION_KEY_BYTES = 2048;
    private static final int MAX_SORT_KEY_BYTES = 1024;
    private static final int BYTES_PER_UNIT = 1024;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** {@code loss}: what speaks against it as a part of the key that tells rows apart, or null. */
    private record Column(String name, int at, Conversion conversion, String loss) {}

    /** An attribute's name, as JSON with the colon after it, and how many bytes it has. */
    private record Name(String name, byte[] json, int bytes) {

        static Name of(String name) {
            ItemJson json = new ItemJson();
            byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
            json.raw('"');
            json.escaped(utf8);
            json.raw('"');
            json.raw(':');
            return new Name(name, json.toBytes(), utf8.length);
        }

        void write(ItemJson out) {
            out.raw(json);
            out.count(bytes);
        }
    }

    /** {@code indexKeys}: what indexes want of it whose key it is, mostly none. */
    private record Attribute(Name name, Column column, List<JobConfig.IndexKey> indexKeys) {}

    /** A part of the key; {@code own} is the column that it is, or null where it is made of text. */
    private record Key(
            Name name,
            KeyTemplate template,
            List<Column> columns,
            Column own,
            int maxBytes,
            List<JobConfig.IndexKey> indexKeys) {}

    private final RowType rowType;
    private final RowData.FieldGetter[] getters;
    /** All but those of the key. */
    private final List<Attribute> attributes = new ArrayList<>();

    private final Key partition;
    private final Key sort;
    private final boolean writeNulls;
    private final int shards;
    private final int[] sourceKey;
    /** Those of them that are FLOAT or DOUBLE. */
    private final int[] floatingKey;
    /** The columns that are attributes, by name, and the attributes' names. */
    private final Map<String, String> attributeOf = new LinkedHashMap<>();

    private final ShardHash hash = new ShardHash();
    private final ItemJson json = new ItemJson();
    /** Where the values of the key begin and end in it. */
    private int partitionAt;

    private int partitionEnd;
    private int sortAt;
    private int sortEnd;

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
        Map<String, Column> named = named(config);
        this.shards =
                config.target().partitionShards() == null ? 0 : config.target().partitionShards();
        this.writeNulls = config.target().nulls() == JobConfig.Nulls.Write;
        this.partition = key(config, config.target().key().partition(), shards > 0, MAX_PARTITION_KEY_BYTES, named);
        this.sort = config.target().key().sort() == null
                ? null
                : key(config, config.target().key().sort(), false, MAX_SORT_KEY_BYTES, named);
        if (sort != null && sort.name.name.equals(partition.name.name)) {
            throw new UserError("partition and sort key have the same name, '" + sort.name.name + "'");
        }
        named.forEach((name, column) -> {
            attributeOf.putIfAbsent(column.name, name);
            if (!name.equals(partition.name.name) && (sort == null || !name.equals(sort.name.name))) {
                attributes.add(new Attribute(Name.of(name), column, indexKeys(config, name, column.conversion.kind())));
            }
        });
        List<Column> inKey = new ArrayList<>(partition.columns);
        if (sort != null) {
            inKey.addAll(sort.columns);
        }
        List<JobConfig.KeyPart> source = config.source().primaryKey();
        this.sourceKey = new int[source.size()];
        for (int i = 0; i < sourceKey.length; i++) {
            String name = source.get(i).name();
            sourceKey[i] = position(name);
            List<Column> uses =
                    inKey.stream().filter(column -> column.name.equals(name)).toList();
            if (uses.isEmpty()) {
                throw new UserError("the DynamoDB key does not hold the column `" + name + "` of Lindorm's primary key,"
                        + " so rows that differ only in it would overwrite each other; put it into a key template,"
                        + " such as '{…}#{" + name + "}'");
            }
            if (uses.stream().allMatch(column -> column.loss != null)) {
                throw new UserError("the key column `" + name + "` " + uses.get(0).loss
                        + ", so rows that differ only there would overwrite each other; choose another 'as'");
            }
        }
        this.floatingKey = Arrays.stream(sourceKey)
                .filter(at -> rowType.getTypeAt(at).isAnyOf(LogicalTypeRoot.FLOAT, LogicalTypeRoot.DOUBLE))
                .toArray();
    }

    private static boolean isNegativeZero(RowData row, int at, LogicalTypeRoot root) {
        double value = root == LogicalTypeRoot.FLOAT ? row.getFloat(at) : row.getDouble(at);
        return value == 0 && 1 / value < 0;
    }

    private int position(String column) {
        int at = rowType.getFieldIndex(column);
        if (at < 0) {
            throw new UserError("the rows have no column `" + column + "`; they have "
                    + String.join(", ", rowType.getFieldNames()));
        }
        return at;
    }

    /** The columns that become attributes, by the attributes' names, in order. */
    private Map<String, Column> named(JobConfig config) {
        Map<String, Column> named = new LinkedHashMap<>();
        for (JobConfig.Attribute attribute : config.target().attributes()) {
            if (attribute.name() == null || attribute.name().isEmpty()) {
                throw new UserError("column `" + attribute.column() + "` has no attribute name");
            }
            int bytes = attribute.name().getBytes(StandardCharsets.UTF_8).length;
            if (bytes > MAX_NAME_BYTES) {
                throw new UserError("the attribute '" + Values.abbreviated(attribute.name()) + "' has a name of "
                        + bytes + " bytes; DynamoDB takes " + MAX_NAME_BYTES);
            }
            Column column = column(config, attribute.column(), attribute.as());
            if (named.put(attribute.name(), column) != null) {
                throw new UserError("two columns are to become the attribute '" + attribute.name() + "'; rename one");
            }
        }
        return named;
    }

    private Column column(JobConfig config, String name, JobConfig.TargetType as) {
        int at = position(name);
        LogicalType type = rowType.getTypeAt(at);
        JobConfig.TimeRange time = config.source().timeRange();
        JobConfig.TargetType target = as == null ? Conversion.defaultTarget(type) : as;
        Conversion conversion =
                Conversion.of(name, at, type, target, time != null && name.equals(time.column()) ? time.unit() : null);
        if (conversion == null) {
            throw new UserError("column `" + name + "` of type " + type + " cannot be stored as " + as);
        }
        return new Column(
                name,
                at,
                conversion,
                Conversion.loss(type, target, config.source().lindormType(name)));
    }

    private Key key(
            JobConfig config, JobConfig.KeyAttribute key, boolean sharded, int maxBytes, Map<String, Column> named) {
        if (key.name().length() > MAX_KEY_NAME) {
            throw new UserError("the key '" + Values.abbreviated(key.name()) + "' has a name of "
                    + key.name().length() + " characters; DynamoDB takes " + MAX_KEY_NAME);
        }
        KeyTemplate template = KeyTemplate.parse(key.template());
        List<Column> columns = new ArrayList<>();
        for (String name : template.columns()) {
            // A column's text is that of its attribute; one that is no attribute has its type's default.
            Column column = named.values().stream()
                    .filter(c -> c.name.equals(name))
                    .findFirst()
                    .orElseGet(() -> column(config, name, null));
            if (column.conversion.kind() == Conversion.Kind.DOCUMENT) {
                throw new UserError("column `" + name + "` is a document and cannot be part of a key");
            }
            columns.add(column);
        }
        boolean isColumn = template.isColumnAlone();
        if (named.containsKey(key.name())
                && !(isColumn && named.get(key.name()).name.equals(columns.get(0).name))) {
            throw new UserError(
                    "the key '" + key.name() + "' has the name of an attribute that is another column; rename one");
        }
        // Two attributes may be of one column: the key is as its own attribute is.
        Column own = isColumn ? named.getOrDefault(key.name(), columns.get(0)) : null;
        boolean isText = own == null || sharded;
        if (isText && key.type() != JobConfig.KeyType.S) {
            throw new UserError(
                    "the key '" + key.name() + "' is made of text, so its type must be S, not " + key.type());
        }
        if (!isText && !own.conversion.kind().name().equals(key.type().name())) {
            throw new UserError("the key '" + key.name() + "' has the type " + key.type() + ", but its values are "
                    + own.conversion.kind() + "; choose another 'as' or another key");
        }
        return new Key(
                Name.of(key.name()),
                template,
                own == null ? columns : List.of(own),
                isText ? null : own,
                maxBytes,
                indexKeys(config, key.name(), Conversion.Kind.valueOf(key.type().name())));
    }

    /**
     * What indexes want of an attribute.
     *
     * @throws UserError where no value of it could be that; of a document each may be another
     */
    private static List<JobConfig.IndexKey> indexKeys(JobConfig config, String name, Conversion.Kind kind) {
        if (config.target().indexKeys() == null) {
            return List.of();
        }
        List<JobConfig.IndexKey> keys = config.target().indexKeys().stream()
                .filter(key -> key.name().equals(name))
                .toList();
        for (JobConfig.IndexKey key : keys) {
            if (kind != Conversion.Kind.DOCUMENT
                    && !kind.name().equals(key.type().name())) {
                throw new UserError("index " + key.index() + " of the table has the key " + name + " (" + key.type()
                        + "), but the values of " + name + " are " + kind + "; choose another 'as' or another name");
            }
        }
        return keys;
    }

    /**
     * Makes the item.
     *
     * @throws Reject where DynamoDB would not take it, or its key would not be the row's own
     */
    void encode(RowData row) throws Reject {
        for (int at : floatingKey) {
            if (!row.isNullAt(at)
                    && isNegativeZero(row, at, rowType.getTypeAt(at).getTypeRoot())) {
                throw new Reject(
                        RejectReason.AmbiguousKey,
                        "column " + rowType.getFieldNames().get(at)
                                + " is -0.0, which would be the item of 0: DynamoDB has one zero");
            }
        }
        json.clear();
        json.raw('{');
        partitionAt = writeKey(partition, row, shards);
        partitionEnd = json.length();
        sortAt = 0;
        sortEnd = 0;
        if (sort != null) {
            json.raw(',');
            sortAt = writeKey(sort, row, 0);
            sortEnd = json.length();
        }
        for (Attribute attribute : attributes) {
            boolean isNull = row.isNullAt(attribute.column.at);
            if (!isNull || writeNulls) {
                json.raw(',');
                attribute.name.write(json);
                int at = json.length();
                long before = json.size();
                if (isNull) {
                    json.nul();
                } else {
                    attribute.column.conversion.write(row, json);
                }
                check(attribute.indexKeys, at, json.size() - before);
            }
        }
        json.raw('}');
        if (json.size() > MAX_ITEM_BYTES) {
            throw new Reject(
                    RejectReason.ItemTooLarge,
                    "the item takes " + json.size() + " bytes; DynamoDB takes " + MAX_ITEM_BYTES);
        }
    }

    /** The item that was made last, as DynamoDB's JSON. Valid until the next. */
    ItemJson encoded() {
        return json;
    }

    /** The item that was made last. */
    Item item() {
        int units = (int) ((json.size() + BYTES_PER_UNIT - 1) / BYTES_PER_UNIT);
        return new Item(json.toBytes(), partitionAt, partitionEnd, sortAt, sortEnd, units);
    }

    /** Makes an item, as {@link #encode} does. */
    Item item(RowData row) throws Reject {
        encode(row);
        return item();
    }

    /** The value that begins there, of so many bytes, as a key of indexes. */
    private void check(List<JobConfig.IndexKey> keys, int at, long bytes) throws Reject {
        for (JobConfig.IndexKey key : keys) {
            int max = key.role() == JobConfig.KeyRole.Partition ? MAX_PARTITION_KEY_BYTES : MAX_SORT_KEY_BYTES;
            String type = json.typeAt(at);
            if (!type.equals(key.type().name()) || bytes == 0 || bytes > max) {
                throw new Reject(
                        RejectReason.InvalidIndexKey,
                        "the attribute " + key.name() + " is the key of index " + key.index() + ", which takes "
                                + key.type() + " of 1 to " + max + " bytes; this is " + type + " of " + bytes);
            }
        }
    }

    /** Writes a key's name and value, and returns where the value begins. */
    private int writeKey(Key key, RowData row, int keyShards) throws Reject {
        for (Column column : key.columns) {
            if (row.isNullAt(column.at)) {
                throw new Reject(
                        RejectReason.NullKey,
                        "column " + column.name + " is NULL, and is part of the key " + key.name.name);
            }
        }
        key.name.write(json);
        int at = json.length();
        long before = json.size();
        if (key.own != null) {
            key.own.conversion.write(row, json);
        } else {
            List<String> values = new ArrayList<>(key.columns.size());
            for (Column column : key.columns) {
                values.add(column.conversion.text(row));
            }
            String text = key.template.fill(values);
            json.string((keyShards > 0 ? text + "#" + hash.shard(sourceKey(row), keyShards) : text)
                    .getBytes(StandardCharsets.UTF_8));
        }
        long bytes = json.size() - before;
        if (bytes == 0) {
            throw new Reject(RejectReason.EmptyKey, "the key " + key.name.name + " is empty");
        }
        if (bytes > key.maxBytes) {
            throw new Reject(
                    RejectReason.KeyTooLong,
                    "the key " + key.name.name + " has " + bytes + " bytes; DynamoDB takes " + key.maxBytes);
        }
        check(key.indexKeys, at, bytes);
        return at;
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

    /**
     * As {@link #rejectLine(RowData, Reject)}, of an item whose row is gone: each column as its attribute has it, and
     * those that are no attribute, or NULL, left out.
     */
    String rejectLine(Item item, Reject reject) {
        JsonNode attributes;
        try {
            attributes = JSON.readTree(item.json());
        } catch (IOException e) {
            throw new UncheckedIOException("an item is no JSON", e);
        }
        ObjectNode line = rejectLine(reject);
        ObjectNode key = line.putObject("key");
        ObjectNode row = line.putObject("row");
        attributeOf.forEach((column, name) -> {
            if (attributes.has(name)) {
                row.set(column, plain(attributes.get(name)));
            }
        });
        for (int at : sourceKey) {
            String column = rowType.getFieldNames().get(at);
            if (row.has(column)) {
                key.set(column, row.get(column));
            }
        }
        return line.toString();
    }

    /** An attribute's value as JSON: bytes are hexadecimal, documents stay as DynamoDB has them. */
    private static JsonNode plain(JsonNode attribute) {
        if (attribute.has("N")) {
            return JSON.getNodeFactory()
                    .numberNode(new BigDecimal(attribute.get("N").textValue()));
        }
        if (attribute.has("B")) {
            byte[] bytes = Base64.getDecoder().decode(attribute.get("B").textValue());
            return JSON.getNodeFactory().textNode(Values.hex(bytes));
        }
        if (attribute.has("NULL")) {
            return JSON.getNodeFactory().nullNode();
        }
        return attribute.has("S") ? attribute.get("S") : attribute.has("BOOL") ? attribute.get("BOOL") : attribute;
    }

    private static ObjectNode rejectLine(Reject reject) {
        ObjectNode line = JSON.createObjectNode();
        line.put("reason", reject.reason().name());
        line.put("message", reject.getMessage());
        return line;
    }

    /** A rejected row as a line of JSON (docs/contracts.md, "Rejects"). */
    String rejectLine(RowData row, Reject reject) {
        ObjectNode line = rejectLine(reject);
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
        } else if (value instanceof Long
                || value instanceof Integer
                || value instanceof Short
                || value instanceof Byte) {
            object.put(name, ((Number) value).longValue());
        } else if (value instanceof Double && Double.isFinite((Double) value)) {
            object.put(name, (Double) value);
        } else if (value instanceof Float && Float.isFinite((Float) value)) {
            object.put(name, (Float) value);
        } else if (value instanceof DecimalData) {
            object.put(name, ((DecimalData) value).toBigDecimal());
        } else if (value instanceof TimestampData) {
            object.put(name, ((TimestampData) value).toInstant().toString());
        } else if (value instanceof byte[]) {
            object.put(name, Values.hex((byte[]) value));
        } else if (value instanceof StringData) {
            object.put(name, new String(((StringData) value).toBytes(), StandardCharsets.UTF_8));
        } else {
            object.put(name, value.toString());
        }
    }
}
