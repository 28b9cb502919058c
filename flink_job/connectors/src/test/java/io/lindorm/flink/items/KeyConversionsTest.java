package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What makes one key of two is refused when the job is planned, as the controller refuses it before. */
class KeyConversionsTest {

    static Stream<JsonNode> cases() throws Exception {
        JsonNode all = new ObjectMapper()
                .readTree(Path.of("../../tests/data/key-conversions.json").toFile());
        assertTrue(all.size() > 40, "the cases are gone");
        return StreamSupport.stream(all.spliterator(), false);
    }

    private static LogicalType type(String sql) {
        return LogicalTypeParser.parse(sql, KeyConversionsTest.class.getClassLoader());
    }

    private static Configs.Builder config(LogicalType type, String lindormType, String as) {
        Conversion conversion = Conversion.of("c", 0, type, JobConfig.TargetType.valueOf(as), null);
        Configs.Builder config = Configs.config()
                .primaryKey("c")
                .attribute("c", "c", as)
                .partition("c", conversion.kind().name(), "{c}");
        return lindormType == null ? config : config.lindormType("c", lindormType);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aFormThatMakesOneKeyOfTwoIsRefusedAndNoOther(JsonNode told) {
        LogicalType type = type(told.get("flink").asText());
        JobConfig config = config(
                        type, told.get("type").textValue(), told.get("as").asText())
                .build();
        RowType rows = RowType.of(new LogicalType[] {type}, new String[] {"c"});
        if (told.get("exact").asBoolean()) {
            assertDoesNotThrow(() -> new ItemMapper(config, rows));
        } else {
            UserError error = assertThrows(UserError.class, () -> new ItemMapper(config, rows));
            assertTrue(error.getMessage().contains("overwrite each other"), error.getMessage());
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void inATemplateAFormIsRefusedJustSo(JsonNode told) {
        LogicalType type = type(told.get("flink").asText());
        String as = told.get("as").asText();
        JobConfig config = Configs.config()
                .primaryKey("c")
                .lindormType("c", told.path("type").asText("unknown"))
                .attribute("c", "c", as)
                .partition("pk", "S", "key-{c}")
                .shards(4)
                .build();
        RowType rows = RowType.of(new LogicalType[] {type}, new String[] {"c"});
        if (told.get("exact").asBoolean()) {
            assertDoesNotThrow(() -> new ItemMapper(config, rows));
        } else {
            assertThrows(UserError.class, () -> new ItemMapper(config, rows));
        }
    }

    @Test
    void aColumnThatIsWholeElsewhereInTheKeyMayLoseSomethingHere() {
        JobConfig config = Configs.config()
                .primaryKey("t")
                .attribute("t", "at", "EpochMillis")
                .attribute("t", "second", "EpochSeconds")
                .partition("second", "N", "{t}")
                .sort("at", "N", "{t}")
                .build();
        RowType rows = RowType.of(new LogicalType[] {type("TIMESTAMP_LTZ(3)")}, new String[] {"t"});
        assertDoesNotThrow(() -> new ItemMapper(config, rows));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Number", "String"})
    void aZeroBelowZeroIsNoKeyBecauseItWouldBeTheItemOfZero(String as) throws Exception {
        LogicalType type = type("DOUBLE");
        ItemMapper mapper = new ItemMapper(
                config(type, "DOUBLE", as).build(), RowType.of(new LogicalType[] {type}, new String[] {"c"}));
        mapper.item(GenericRowData.of(0.0));
        mapper.item(GenericRowData.of(-1e-100));
        Reject reject = assertThrows(Reject.class, () -> mapper.item(GenericRowData.of(-0.0)));
        assertEquals(RejectReason.AmbiguousKey, reject.reason());
    }

    @Test
    void sqlAloneIsRefusedWhenItIsPlanned() {
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        tables.getConfig().set("execution.checkpointing.interval", "1 s");
        tables.executeSql("CREATE TABLE src (c STRING) WITH ('connector' = 'datagen')");
        String json = config(type("STRING"), null, "Number").json();
        tables.executeSql(
                "CREATE TABLE items (c STRING) WITH ('connector' = 'lindorm-items', 'job-config' = '" + json + "')");
        Exception error =
                assertThrows(ValidationException.class, () -> tables.explainSql("INSERT INTO items SELECT c FROM src"));
        List<Throwable> found = ExceptionUtils.findThrowable(error, UserError.class).stream()
                .map(e -> (Throwable) e)
                .toList();
        assertTrue(found.size() == 1 && found.get(0).getMessage().contains("as Number 1 and 1.0"), error.toString());
    }
}
