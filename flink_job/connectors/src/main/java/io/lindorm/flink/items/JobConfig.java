package io.lindorm.flink.items;

import io.lindorm.flink.UserError;
import java.io.Serializable;
import java.util.List;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonProperty;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/**
 * The parts of the job config (docs/contracts.md) that concern items. Fields that it does not
 * name are for others.
 */
record JobConfig(
        int version,
        @JsonProperty("import") Import imported,
        Source source,
        Target target,
        Load load,
        Rejects rejects,
        Result result)
        implements Serializable {

    /** The version of a document that has {@link #load}: a job that knows no files must refuse it. */
    private static final int VERSION_WITH_FILES = 2;

    record Import(String namespace, String name, String uid, String runId) implements Serializable {}

    record Source(List<Column> columns, List<KeyPart> primaryKey, TimeRange timeRange) implements Serializable {

        /** A column's type as Lindorm's DESCRIBE says it, or null where the config does not name the column. */
        String lindormType(String column) {
            return columns == null
                    ? null
                    : columns.stream()
                            .filter(each -> each.name.equals(column))
                            .map(Column::type)
                            .findFirst()
                            .orElse(null);
        }
    }

    /** The time column, and what it counts since 1970: null where it is a TIMESTAMP. */
    record TimeRange(String column, Unit unit) implements Serializable {}

    record Column(String name, String type) implements Serializable {}

    record KeyPart(String name, String order) implements Serializable {}

    /** {@code indexKeys}: of the indexes of a table that is there; null where a controller knew nothing of them. */
    record Target(
            String region,
            String table,
            Key key,
            List<Attribute> attributes,
            List<IndexKey> indexKeys,
            Integer partitionShards,
            Nulls nulls)
            implements Serializable {}

    /** An attribute that is a key of an index, and what it has to be there. */
    record IndexKey(String index, String name, KeyType type, KeyRole role) implements Serializable {}

    /** The item's key; {@code sort} is null for a table without a sort key. */
    record Key(KeyAttribute partition, KeyAttribute sort) implements Serializable {}

    record KeyAttribute(String name, KeyType type, String template) implements Serializable {}

    record Attribute(String column, String name, TargetType as) implements Serializable {}

    /** How the items get into the table; null in a document of version 1, whose job writes to DynamoDB itself. */
    record Load(LoadMethod method, String items, String manifest, int maxObjects) implements Serializable {}

    record Rejects(String path, long max) implements Serializable {}

    record Result(String path) implements Serializable {}

    /** What a key attribute is for. */
    enum KeyRole {
        Partition,
        Sort
    }

    /** DynamoDB's types of key attributes. */
    enum KeyType {
        S,
        N,
        B
    }

    /** What a number that is a time counts since 1970. */
    enum Unit {
        Seconds(1, 3),
        Milliseconds(1_000, 3),
        Microseconds(1_000_000, 6),
        Nanoseconds(1_000_000_000, 9);

        private final long perSecond;
        private final int digits;

        Unit(long perSecond, int digits) {
            this.perSecond = perSecond;
            this.digits = digits;
        }

        /**
         * A count as ISO-8601, with all the digits that it has, and milliseconds at least.
         *
         * @throws Reject TimeOutOfRange outside the years 1 to 9999
         */
        String iso8601(long count, String column) throws Reject {
            long fraction = perSecond == 1 ? 0 : Math.floorMod(count, perSecond);
            return Values.iso8601(Math.floorDiv(count, perSecond), fraction, digits, column);
        }
    }

    /** Ways by which DynamoDB loads files; for the job they are one. */
    enum LoadMethod {
        ImportTable,
        BulkPut
    }

    /** What becomes of a NULL. */
    enum Nulls {
        Omit,
        Write
    }

    /** What a column's value becomes. */
    enum TargetType {
        String,
        Number,
        Binary,
        Boolean,
        Iso8601,
        EpochMillis,
        EpochSeconds,
        Json,
        JsonDocument
    }

    /**
     * Reads a job config.
     *
     * @throws UserError for a document of another version or form
     */
    static JobConfig parse(String json) {
        ObjectMapper mapper = new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);
        JobConfig config;
        try {
            config = mapper.readValue(json, JobConfig.class);
        } catch (JsonProcessingException e) {
            throw new UserError("the job config cannot be read: " + e.getOriginalMessage(), e);
        }
        if (config.version != 1 && config.version != VERSION_WITH_FILES) {
            throw new UserError(
                    "the job config has version " + config.version + ", this job understands versions 1 and "
                            + VERSION_WITH_FILES + "; use the job image that belongs to the controller");
        }
        if (config.version == VERSION_WITH_FILES) {
            require(config.load, "load");
            require(config.load.method, "load.method");
            require(config.load.items, "load.items");
            require(config.load.manifest, "load.manifest");
        } else if (config.load != null) {
            throw new UserError("a job config with 'load' has version " + VERSION_WITH_FILES);
        }
        require(config.imported, "import");
        require(config.source, "source");
        require(config.target, "target");
        require(config.target.key, "target.key");
        require(config.target.key.partition, "target.key.partition");
        require(config.target.attributes, "target.attributes");
        require(config.rejects, "rejects");
        require(config.result, "result");
        return config;
    }

    private static void require(Object part, String name) {
        if (part == null) {
            throw new UserError("the job config has no '" + name + "'");
        }
    }
}
