package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.nio.file.Path;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FilterExpressionTest {

    /** The same cases as the controller's. */
    private static Stream<String> cases(String kind) throws Exception {
        JsonNode all = new ObjectMapper()
                .readTree(Path.of("../../tests/data/filters.json").toFile())
                .get(kind);
        assertTrue(all.size() > 10, "the cases are gone");
        return StreamSupport.stream(all.spliterator(), false).map(JsonNode::asText);
    }

    static Stream<String> accepted() throws Exception {
        return cases("accepted");
    }

    static Stream<String> refused() throws Exception {
        return cases("refused");
    }

    @ParameterizedTest
    @MethodSource("accepted")
    void oneExpressionIsTakenAsItIs(String filter) {
        assertEquals(filter, Scans.of("scan.filter", filter).filter());
    }

    @ParameterizedTest
    @MethodSource("refused")
    void whatCouldLeaveItsParenthesesIsRefused(String filter) {
        UserError said = assertThrows(UserError.class, () -> FilterExpression.check(filter, "scan.filter"));
        assertTrue(said.getMessage().contains("'scan.filter' must be one condition of SQL"), said.getMessage());
    }

    @Test
    void aBlankFilterIsNone() {
        assertEquals(null, Scans.of("scan.filter", "  ").filter());
    }

    @ParameterizedTest
    @ValueSource(strings = {"a = 1; DROP TABLE t", "a = 'it\\'s' AND b = 2", "a = ?", "a /* b */ = 1"})
    void theConditionOfAQueryIsHeldToTheSame(String condition) {
        assertThrows(UserError.class, () -> Scans.of("scan.query", "SELECT * FROM t WHERE " + condition));
    }

    @Test
    void aLongTextIsReadToo() {
        String filter = "a = '" + "x\\\\y''".repeat(100_000) + "'";
        assertEquals(filter, FilterExpression.check(filter, "scan.filter"));
    }
}
