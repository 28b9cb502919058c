package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ItemMapperTest {

    private static final TimestampData TIME =
            TimestampData.fromLocalDateTime(LocalDateTime.of(2023, 1, 2, 3, 4, 5, 6_000_000));
    private static final TimestampData BEFORE_1970 =
            TimestampData.fromLocalDateTime(LocalDateTime.of(1969, 12, 31, 23, 59, 59, 999_000_000));

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private static JsonNode s(String value) {
        return JSON.createObjectNode().put("S", value);
    }

    private static JsonNode n(String value) {
        return JSON.createObjectNode().put("N", value);
    }

    private static JsonNode b(int... bytes) {
        byte[] array = new byte[bytes.length];
        for (int i = 0; i < array.length; i++) {
            array[i] = (byte) bytes[i];
        }
        return JSON.createObjectNode().put("B", Base64.getEncoder().encodeToString(array));
    }

    private static JsonNode bool(boolean value) {
        return JSON.createObjectNode().put("BOOL", value);
    }

    private static JsonNode nul() {
        return JSON.createObjectNode().put("NULL", true);
    }

    private static JsonNode list(JsonNode... elements) {
        return JSON.createObjectNode().set("L", JSON.createArrayNode().addAll(List.of(elements)));
    }

    private static JsonNode map(Map<String, JsonNode> members) {
        return JSON.createObjectNode().set("M", JSON.createObjectNode().setAll(members));
    }

    /** The item that a mapper makes, by attribute. */
    private static Map<String, JsonNode> item(ItemMapper mapper, Object... row) throws Reject {
        Map<String, JsonNode> item = new HashMap<>();
        try {
            JSON.readTree(mapper.item(GenericRowData.of(row)).json())
                    .fields()
                    .forEachRemaining(a -> item.put(a.getKey(), a.getValue()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return item;
    }

    private static StringData text(String value) {
        return StringData.fromString(value);
    }

    private static DecimalData decimal(String value, int precision, int scale) {
        return DecimalData.fromBigDecimal(new BigDecimal(value), precision, scale);
    }

    private static int date(int year, int month, int day) {
        return (int) LocalDate.of(year, month, day).toEpochDay();
    }

    private static RowType rowType(DataType... types) {
        DataTypes.Field[] fields = new DataTypes.Field[types.length];
        for (int i = 0; i < types.length; i++) {
            fields[i] = DataTypes.FIELD("c" + i, types[i]);
        }
        return (RowType) DataTypes.ROW(fields).getLogicalType();
    }

    /** Maps rows of (key STRING, value of a type). */
    private static ItemMapper mapper(DataType type, String as) {
        return new ItemMapper(
                Configs.config()
                        .primaryKey("c0")
                        .attribute("c0", "k", "String")
                        .attribute("c1", "v", as)
                        .partition("k", "S", "{c0}")
                        .build(),
                rowType(DataTypes.STRING(), type));
    }

    static Stream<Arguments> values() {
        return Stream.of(
                Arguments.of(DataTypes.BOOLEAN(), "Boolean", true, bool(true)),
                Arguments.of(DataTypes.BOOLEAN(), "String", false, s("false")),
                Arguments.of(DataTypes.BOOLEAN(), "Number", true, n("1")),
                Arguments.of(DataTypes.TINYINT(), "Number", (byte) -128, n("-128")),
                Arguments.of(DataTypes.SMALLINT(), "Number", (short) 32767, n("32767")),
                Arguments.of(DataTypes.INT(), "Number", -1, n("-1")),
                Arguments.of(DataTypes.INT(), "String", 7, s("7")),
                Arguments.of(DataTypes.BIGINT(), "Number", Long.MIN_VALUE, n("-9223372036854775808")),
                Arguments.of(
                        DataTypes.DECIMAL(20, 0),
                        "Number",
                        decimal("18446744073709551615", 20, 0),
                        n("18446744073709551615")),
                Arguments.of(DataTypes.DECIMAL(10, 2), "Number", decimal("1.50", 10, 2), n("1.5")),
                Arguments.of(DataTypes.DECIMAL(10, 2), "Number", decimal("0.00", 10, 2), n("0")),
                Arguments.of(DataTypes.DECIMAL(10, 2), "String", decimal("-100.00", 10, 2), s("-100")),
                Arguments.of(
                        DataTypes.DECIMAL(38, 38),
                        "Number",
                        decimal("0.00000000000000000000000000000000000001", 38, 38),
                        n("1E-38")),
                Arguments.of(DataTypes.FLOAT(), "Number", 0.1f, n("0.1")),
                Arguments.of(DataTypes.FLOAT(), "Number", -0.0f, n("0")),
                Arguments.of(DataTypes.DOUBLE(), "Number", 42.0d, n("42")),
                Arguments.of(DataTypes.DOUBLE(), "Number", 1e-7d, n("1.0E-7")),
                Arguments.of(DataTypes.DOUBLE(), "Number", 9.99e125d, n("9.99E+125")),
                Arguments.of(DataTypes.DOUBLE(), "Number", 1e-130d, n("1E-130")),
                Arguments.of(DataTypes.DOUBLE(), "String", 1.5d, s("1.5")),
                Arguments.of(DataTypes.STRING(), "String", text("h\u00e9 \uD83D\uDE00"), s("h\u00e9 \uD83D\uDE00")),
                Arguments.of(DataTypes.STRING(), "String", text(""), s("")),
                Arguments.of(DataTypes.STRING(), "String", text("\uFFFD"), s("\uFFFD")),
                Arguments.of(DataTypes.STRING(), "Number", text(" 1e3 "), n("1000")),
                Arguments.of(DataTypes.STRING(), "Binary", text("ab"), b('a', 'b')),
                Arguments.of(DataTypes.STRING(), "Json", text("{\"a\":1}"), s("{\"a\":1}")),
                Arguments.of(
                        DataTypes.STRING(),
                        "JsonDocument",
                        text("{\"a\": [1.50, null, true, \"x\", {}], \"b\": -0}"),
                        map(Map.of("a", list(n("1.5"), nul(), bool(true), s("x"), map(Map.of())), "b", n("0")))),
                Arguments.of(DataTypes.STRING(), "JsonDocument", text("[\"\u00e9\\\"\\n\"]"), list(s("\u00e9\"\n"))),
                Arguments.of(
                        DataTypes.STRING(),
                        "String",
                        text("\"\\/\b\u0000\u001f\u007f\u2028"),
                        s("\"\\/\b\u0000\u001f\u007f\u2028")),
                Arguments.of(DataTypes.BYTES(), "Binary", new byte[] {0, -1}, b(0, 255)),
                Arguments.of(DataTypes.BYTES(), "String", new byte[] {0, -1}, s("00ff")),
                Arguments.of(DataTypes.TIMESTAMP_LTZ(3), "Iso8601", TIME, s("2023-01-02T03:04:05.006Z")),
                Arguments.of(DataTypes.TIMESTAMP_LTZ(3), "EpochMillis", TIME, n("1672628645006")),
                Arguments.of(DataTypes.TIMESTAMP_LTZ(3), "EpochSeconds", TIME, n("1672628645")),
                Arguments.of(DataTypes.TIMESTAMP(3), "EpochSeconds", BEFORE_1970, n("-1")),
                Arguments.of(DataTypes.TIMESTAMP(3), "Iso8601", BEFORE_1970, s("1969-12-31T23:59:59.999Z")),
                Arguments.of(
                        DataTypes.TIMESTAMP_LTZ(3),
                        "Iso8601",
                        TimestampData.fromLocalDateTime(LocalDateTime.of(1, 1, 1, 0, 0)),
                        s("0001-01-01T00:00:00.000Z")),
                Arguments.of(DataTypes.DATE(), "Iso8601", date(9999, 12, 31), s("9999-12-31")),
                Arguments.of(DataTypes.DATE(), "EpochMillis", date(1970, 1, 2), n("86400000")),
                Arguments.of(
                        DataTypes.TIME(3),
                        "Iso8601",
                        (int) (LocalTime.of(12, 34, 56, 789_000_000).toNanoOfDay() / 1_000_000),
                        s("12:34:56.789")));
    }

    @ParameterizedTest
    @MethodSource("values")
    void everyTypeBecomesWhatItShould(DataType type, String as, Object value, JsonNode expected) throws Reject {
        assertEquals(Map.of("k", s("k"), "v", expected), item(mapper(type, as), text("k"), value));
    }

    static Stream<Arguments> rejects() {
        return Stream.of(
                Arguments.of(DataTypes.DOUBLE(), "Number", Double.NaN, RejectReason.NotANumber),
                Arguments.of(DataTypes.FLOAT(), "Number", Float.NEGATIVE_INFINITY, RejectReason.NotANumber),
                Arguments.of(DataTypes.DOUBLE(), "Number", 1e126d, RejectReason.NumberOutOfRange),
                Arguments.of(DataTypes.DOUBLE(), "Number", 9.9e-131d, RejectReason.NumberOutOfRange),
                Arguments.of(DataTypes.DOUBLE(), "Number", Double.MAX_VALUE, RejectReason.NumberOutOfRange),
                Arguments.of(DataTypes.STRING(), "Number", text("twelve"), RejectReason.NotANumber),
                Arguments.of(
                        DataTypes.STRING(),
                        "Number",
                        text("123456789012345678901234567890123456789"),
                        RejectReason.NumberOutOfRange),
                Arguments.of(DataTypes.STRING(), "Number", text("1e2147483647"), RejectReason.NumberOutOfRange),
                Arguments.of(
                        DataTypes.STRING(),
                        "String",
                        StringData.fromBytes(new byte[] {'a', (byte) 0xc3}),
                        RejectReason.InvalidText),
                Arguments.of(DataTypes.STRING(), "JsonDocument", text("{"), RejectReason.InvalidJson),
                Arguments.of(DataTypes.STRING(), "JsonDocument", text(""), RejectReason.InvalidJson),
                Arguments.of(DataTypes.STRING(), "JsonDocument", text("1 2"), RejectReason.InvalidJson),
                Arguments.of(DataTypes.STRING(), "JsonDocument", text("{\"a\":1,\"a\":2}"), RejectReason.InvalidJson),
                Arguments.of(DataTypes.STRING(), "JsonDocument", text("\"\\ud800\""), RejectReason.InvalidJson),
                Arguments.of(DataTypes.STRING(), "JsonDocument", text("[1e999]"), RejectReason.NumberOutOfRange),
                Arguments.of(
                        DataTypes.STRING(),
                        "JsonDocument",
                        text("[".repeat(33) + "]".repeat(33)),
                        RejectReason.InvalidJson),
                Arguments.of(DataTypes.STRING(), "String", text("x".repeat(409_600)), RejectReason.ItemTooLarge));
    }

    @ParameterizedTest
    @MethodSource("rejects")
    void whatDynamoDbWouldNotTakeIsRejected(DataType type, String as, Object value, RejectReason reason) {
        Reject reject = assertThrows(Reject.class, () -> mapper(type, as).item(GenericRowData.of(text("k"), value)));
        assertEquals(reason, reject.reason());
        assertTrue(reject.getMessage().length() < 300);
    }

    @Test
    void anItemOfJustTheLimitIsTaken() throws Reject {
        // Names k and v, the key's value, and the rest.
        mapper(DataTypes.STRING(), "String")
                .item(GenericRowData.of(text("k"), text("x".repeat(ItemMapper.MAX_ITEM_BYTES - 3))));
        assertThrows(
                Reject.class,
                () -> mapper(DataTypes.STRING(), "String")
                        .item(GenericRowData.of(text("k"), text("x".repeat(ItemMapper.MAX_ITEM_BYTES - 2)))));
    }

    @Test
    void nullsAreOmittedOrWritten() throws Reject {
        assertEquals(Map.of("k", s("k")), item(mapper(DataTypes.INT(), "Number"), text("k"), null));
        ItemMapper writing = new ItemMapper(
                Configs.config()
                        .primaryKey("c0")
                        .attribute("c0", "k", "String")
                        .attribute("c1", "v", "Number")
                        .partition("k", "S", "{c0}")
                        .nulls("Write")
                        .build(),
                rowType(DataTypes.STRING(), DataTypes.INT()));
        assertEquals(Map.of("k", s("k"), "v", nul()), item(writing, text("k"), null));
    }

    @Test
    void keysHaveTheirLimits() throws Reject {
        ItemMapper mapper = new ItemMapper(
                Configs.config()
                        .primaryKey("c0", "c1")
                        .attribute("c0", "p", "String")
                        .attribute("c1", "s", "Binary")
                        .partition("p", "S", "{c0}")
                        .sort("s", "B", "{c1}")
                        .build(),
                rowType(DataTypes.STRING(), DataTypes.BYTES()));
        mapper.item(GenericRowData.of(text("\u00e9".repeat(1024)), new byte[1024]));
        assertReason(RejectReason.KeyTooLong, mapper, text("\u00e9".repeat(1024) + "x"), new byte[1]);
        assertReason(RejectReason.KeyTooLong, mapper, text("x"), new byte[1025]);
        assertReason(RejectReason.EmptyKey, mapper, text(""), new byte[1]);
        assertReason(RejectReason.EmptyKey, mapper, text("x"), new byte[0]);
        assertReason(RejectReason.NullKey, mapper, null, new byte[1]);
        assertReason(RejectReason.NullKey, mapper, text("x"), null);
    }

    private static void assertReason(RejectReason reason, ItemMapper mapper, Object... row) {
        assertEquals(
                reason,
                assertThrows(Reject.class, () -> mapper.item(GenericRowData.of(row)))
                        .reason());
    }

    private static ItemMapper composite() {
        return new ItemMapper(
                Configs.config()
                        .primaryKey("c0", "c1", "c2")
                        .attribute("c0", "device", "String")
                        .attribute("c1", "at", "Iso8601")
                        .attribute("c2", "seq", "Number")
                        .partition("device", "S", "{c0}")
                        .sort("sk", "S", "v1#{c1}##{c2}!")
                        .build(),
                rowType(DataTypes.STRING(), DataTypes.TIMESTAMP_LTZ(3), DataTypes.BIGINT()));
    }

    @Test
    void aTemplateJoinsTheTextFormsOfItsColumns() throws Reject {
        assertEquals(
                Map.of(
                        "device",
                        s("d"),
                        "at",
                        s("2023-01-02T03:04:05.006Z"),
                        "seq",
                        n("7"),
                        "sk",
                        s("v1#2023-01-02T03:04:05.006Z##7!")),
                item(composite(), text("d"), TIME, 7L));
    }

    @Test
    void aKeyThatCouldBeReadInTwoWaysIsRejected() throws Reject {
        ItemMapper mapper = new ItemMapper(
                Configs.config()
                        .primaryKey("c0", "c1")
                        .attribute("c0", "a", "String")
                        .attribute("c1", "b", "String")
                        .partition("pk", "S", "{c0}##{c1}")
                        .build(),
                rowType(DataTypes.STRING(), DataTypes.STRING()));
        assertEquals(s("a#b##c##d"), item(mapper, text("a#b"), text("c##d")).get("pk"));
        assertReason(RejectReason.AmbiguousKey, mapper, text("a##b"), text("c"));
        assertReason(RejectReason.AmbiguousKey, mapper, text("a#"), text("b"));
        assertEquals(s("##"), item(mapper, text(""), text("")).get("pk"));
    }

    /** The vector of the README: whoever computes shards elsewhere must get the same. */
    @Test
    void shardsAreAStableHashOfTheSourceKey() throws Reject {
        ItemMapper mapper = new ItemMapper(
                Configs.config()
                        .primaryKey("c0", "c1")
                        .attribute("c0", "device", "String")
                        .attribute("c1", "at", "EpochMillis")
                        .partition("device", "S", "{c0}")
                        .sort("at", "N", "{c1}")
                        .shards(16)
                        .build(),
                rowType(DataTypes.STRING(), DataTypes.TIMESTAMP_LTZ(3)));
        GenericRowData row = GenericRowData.of(text("dev-1"), TIME);
        assertEquals(
                List.of("dev-1", "1672628645006"),
                mapper.sourceKey(row).stream()
                        .map(b -> new String(b, StandardCharsets.UTF_8))
                        .toList());
        assertEquals(Map.of("device", s("dev-1#3"), "at", n("1672628645006")), item(mapper, text("dev-1"), TIME));
        boolean[] seen = new boolean[16];
        for (int i = 0; i < 500; i++) {
            String key = item(mapper, text("dev-1"), TimestampData.fromEpochMillis(i))
                    .get("device")
                    .get("S")
                    .textValue();
            seen[Integer.parseInt(key.substring("dev-1#".length()))] = true;
        }
        for (boolean shard : seen) {
            assertTrue(shard);
        }
    }

    @Test
    void canonicalBytesDependOnTheValueAlone() throws Reject {
        ItemMapper mapper = new ItemMapper(
                Configs.config()
                        .primaryKey("c0", "c1", "c2", "c3", "c4")
                        .partition("pk", "S", "{c0}#{c1}#{c2}#{c3}#{c4}")
                        .build(),
                rowType(
                        DataTypes.DECIMAL(10, 2),
                        DataTypes.BYTES(),
                        DataTypes.DATE(),
                        DataTypes.TIME(3),
                        DataTypes.BOOLEAN()));
        List<byte[]> key = mapper.sourceKey(
                GenericRowData.of(decimal("100.00", 10, 2), new byte[] {1}, date(2023, 1, 1), 1, true));
        assertEquals(
                List.of("100", "\u0001", "2023-01-01", "00:00:00.001", "true"),
                key.stream().map(b -> new String(b, StandardCharsets.UTF_8)).toList());
    }

    @Test
    void aRejectIsToldInJson() {
        GenericRowData row = GenericRowData.of(text(""), TIME, 7L);
        Reject reject = assertThrows(Reject.class, () -> composite().item(row));
        assertEquals(
                "{\"reason\":\"EmptyKey\",\"message\":\"the key device is empty\","
                        + "\"key\":{\"c0\":\"\",\"c1\":\"2023-01-02T03:04:05.006Z\",\"c2\":7},"
                        + "\"row\":{\"c0\":\"\",\"c1\":\"2023-01-02T03:04:05.006Z\",\"c2\":7}}",
                composite().rejectLine(row, reject));
    }

    @Test
    void aConfigThatCannotBeIsRefusedWithAReason() {
        RowType two = rowType(DataTypes.STRING(), DataTypes.BYTES());
        refused(
                "two columns are to become the attribute 'a'",
                two,
                Configs.config()
                        .primaryKey("c0")
                        .attribute("c0", "a", "String")
                        .attribute("c1", "a", "Binary")
                        .partition("a", "S", "{c0}"));
        refused(
                "cannot be stored as Number",
                two,
                Configs.config().primaryKey("c0").attribute("c1", "a", "Number").partition("k", "S", "{c0}"));
        refused(
                "does not hold the column `c1`",
                two,
                Configs.config()
                        .primaryKey("c0", "c1")
                        .attribute("c0", "a", "String")
                        .partition("a", "S", "{c0}"));
        refused(
                "must be S, not N",
                two,
                Configs.config().primaryKey("c0").attribute("c0", "a", "String").partition("k", "N", "x{c0}"));
        refused(
                "needs a literal between",
                two,
                Configs.config().primaryKey("c0", "c1").partition("k", "S", "{c0}{c1}"));
        refused("names no column", two, Configs.config().primaryKey("c0").partition("k", "S", "x"));
        refused(
                "the rows have no column `nope`",
                two,
                Configs.config()
                        .primaryKey("c0")
                        .attribute("nope", "a", "String")
                        .partition("k", "S", "{c0}"));
        refused(
                "has the name of an attribute",
                two,
                Configs.config().primaryKey("c0").attribute("c1", "k", "Binary").partition("k", "S", "{c0}"));
        refused(
                "the same name",
                two,
                Configs.config()
                        .primaryKey("c0", "c1")
                        .partition("k", "S", "{c0}")
                        .sort("k", "B", "{c1}"));
    }

    private static void refused(String said, RowType rowType, Configs.Builder config) {
        UserError error = assertThrows(UserError.class, () -> new ItemMapper(config.build(), rowType));
        assertTrue(error.getMessage().contains(said), error.getMessage());
    }

    @Test
    void aConfigOfAnotherVersionIsRefused() {
        UserError error = assertThrows(UserError.class, () -> JobConfig.parse("{\"version\": 3}"));
        assertTrue(error.getMessage().contains("version 3"), error.getMessage());
        assertThrows(UserError.class, () -> JobConfig.parse("{"));
        assertThrows(UserError.class, () -> JobConfig.parse("{\"version\": 1}"));
        assertNull(Configs.config()
                .primaryKey("c0")
                .partition("k", "S", "{c0}")
                .build()
                .target()
                .key()
                .sort());
    }
}
