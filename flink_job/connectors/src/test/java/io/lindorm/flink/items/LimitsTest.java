package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.nio.file.Path;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** DynamoDB's documented limits, as cases that the controller has, too. */
class LimitsTest {

    private static Stream<JsonNode> cases(String kind) throws Exception {
        JsonNode all = new ObjectMapper()
                .readTree(Path.of("../../tests/data/dynamodb-limits.json").toFile());
        assertTrue(all.get(kind).size() > 4, "the cases are gone");
        return StreamSupport.stream(all.get(kind).spliterator(), false);
    }

    static Stream<JsonNode> rows() throws Exception {
        return cases("rows");
    }

    static Stream<JsonNode> names() throws Exception {
        return cases("names");
    }

    private static String text(JsonNode told) {
        if (!told.isObject()) {
            return told.textValue();
        }
        return told.path("before").asText("")
                + told.get("text").asText().repeat(told.path("times").asInt(1))
                + told.path("after").asText("");
    }

    private static StringData value(JsonNode told, String column) {
        return told.has(column) ? StringData.fromString(text(told.get(column))) : StringData.fromString(column);
    }

    private static RowType rowType(String... columns) {
        DataTypes.Field[] fields = Stream.of(columns)
                .map(column -> DataTypes.FIELD(column, DataTypes.STRING()))
                .toArray(DataTypes.Field[]::new);
        return (RowType) DataTypes.ROW(fields).getLogicalType();
    }

    private static Configs.Builder config(String as) {
        return Configs.config()
                .primaryKey("k", "s")
                .attribute("k", "k", "String")
                .attribute("s", "s", "String")
                .attribute("v", "v", as)
                .partition("k", "S", "{k}")
                .sort("s", "S", "{s}");
    }

    @ParameterizedTest
    @MethodSource("rows")
    void aRowIsAnItemOrARejectAsTheCasesSay(JsonNode told) {
        Configs.Builder config = config(told.path("as").asText("String"))
                .nulls(told.path("nulls").asText("Omit"));
        JsonNode index = told.path("index");
        if (index.isObject()) {
            config.indexKey(
                    index.get("name").asText(),
                    index.get("type").asText(),
                    index.get("role").asText());
        }
        ItemMapper mapper = new ItemMapper(config.build(), rowType("k", "s", "v"));
        String reason = null;
        try {
            mapper.item(GenericRowData.of(value(told, "k"), value(told, "s"), value(told, "v")));
        } catch (Reject reject) {
            reason = reject.reason().name();
            assertTrue(reject.getMessage().length() < 300, reject.getMessage());
        }
        assertEquals(told.get("reject").textValue(), reason);
    }

    @ParameterizedTest
    @MethodSource("names")
    void aNameThatNoAttributeCanHaveIsRefusedWhenTheJobIsPlanned(JsonNode told) {
        String name = text(told.get("name"));
        Configs.Builder config = told.get("of").asText().equals("key")
                ? Configs.config()
                        .primaryKey("k")
                        .attribute("k", name, "String")
                        .partition(name, "S", "{k}")
                : config("String").attribute("v", name, "String");
        RowType rows = rowType("k", "s", "v");
        if (told.get("refused").asBoolean()) {
            UserError error = assertThrows(UserError.class, () -> new ItemMapper(config.build(), rows));
            assertTrue(error.getMessage().length() < 300, error.getMessage());
        } else {
            new ItemMapper(config.build(), rows);
        }
    }

    @Test
    void anIndexKeyOfAnotherTypeIsRefusedWhenTheJobIsPlanned() {
        JobConfig config = config("String").indexKey("v", "N", "Sort").build();
        UserError error = assertThrows(UserError.class, () -> new ItemMapper(config, rowType("k", "s", "v")));
        assertTrue(error.getMessage().contains("index by"), error.getMessage());
        // An attribute that the items lack is none: they are not in the index.
        new ItemMapper(config("String").indexKey("other", "N", "Sort").build(), rowType("k", "s", "v"));
    }
}
