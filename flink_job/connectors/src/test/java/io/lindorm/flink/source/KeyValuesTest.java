package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.StringData;
import org.junit.jupiter.api.Test;

class KeyValuesTest {

    private static final List<KeyColumn> KEY =
            List.of(new KeyColumn("k", "VARCHAR(10)", true), new KeyColumn("l", "BIGINT", false));

    @Test
    void aSplitComesBackFromACheckpoint() throws Exception {
        KeyRangeSplitSerializer serializer = new KeyRangeSplitSerializer();
        List<Object> everything = List.of(
                true,
                -5L,
                new BigDecimal("-123456789012345678901234567890.12"),
                1.5f,
                -2.25d,
                "h\u00e9 \uD83D\uDE00" + "x".repeat(70_000),
                LocalDateTime.of(1, 1, 1, 0, 0, 0, 1_000_000),
                LocalDate.of(9999, 12, 31),
                LocalTime.of(23, 59, 59, 999_000_000));
        KeyRangeSplit split =
                new KeyRangeSplit("7", KeyRangeSplit.Kind.OFFERED, KEY, everything, null, List.of("a", 3L), 42);
        assertEquals(split, serializer.deserialize(2, serializer.serialize(split)));
        KeyRangeSplit fresh = KeyRangeSplit.of("8", KEY, List.of("a"), List.of("b", 1L));
        assertEquals(fresh, serializer.deserialize(2, serializer.serialize(fresh)));
        EnumeratorState state =
                new EnumeratorState(true, List.of(split, fresh), Map.of("7", List.of("q", 5L)), Set.of("8", "x"));
        KeyRangeSplit count = KeyRangeSplit.count("c", 12);
        assertEquals(count, serializer.deserialize(2, serializer.serialize(count)));
        EnumeratorState.Serializer ofState = new EnumeratorState.Serializer();
        assertEquals(state, ofState.deserialize(2, ofState.serialize(state)));
        KeyRangeSplit bytes = KeyRangeSplit.of("9", KEY, List.of(new byte[] {0, -1}), null);
        assertArrayEquals(new byte[] {0, -1}, (byte[])
                serializer.deserialize(2, serializer.serialize(bytes)).lower().get(0));
    }

    @Test
    void textIsOrderedByItsBytes() {
        assertTrue(KeyType.of("VARCHAR").compare("Z", "a") < 0);
        // In UTF-16 the emoji, a surrogate pair, would be before the full-width letter.
        assertTrue(KeyType.of("VARCHAR").compare("\uFF21", "\uD83D\uDE00") < 0);
        assertTrue(KeyType.of("VARBINARY").compare(new byte[] {1}, new byte[] {-1}) < 0);
    }

    @Test
    void valuesOfUsersAreReadByType() {
        assertEquals(5L, KeyType.of("INT").parse("5", "INT"));
        assertEquals(
                new BigDecimal("18446744073709551615"),
                KeyType.of("BIGINT UNSIGNED").parse("18446744073709551615", "BIGINT UNSIGNED"));
        assertEquals(
                LocalDateTime.of(2022, 12, 31, 16, 0),
                KeyType.of("TIMESTAMP").parse("2023-01-01T00:00:00+08:00", "TIMESTAMP"));
        assertEquals(" x", KeyType.of("VARCHAR(3)").parse(" x", "VARCHAR(3)"));
        assertArrayEquals(new byte[] {10, -1}, (byte[]) KeyType.of("VARBINARY").parse("0aff", "VARBINARY"));
        assertThrows(IllegalArgumentException.class, () -> KeyType.of("BIGINT").parse("x", "BIGINT"));
        assertThrows(
                IllegalArgumentException.class, () -> KeyType.of("TIMESTAMP").parse("yesterday", "TIMESTAMP"));
    }

    @Test
    void textThatIsNoUtf8IsSentBackAsTheBytesThatItIs() {
        byte[] bytes = {'a', (byte) 0xff};
        StringData broken = StringData.fromBytes(bytes);
        assertArrayEquals(bytes, (byte[]) KeyType.of("VARCHAR").ofRow(broken));
        assertTrue(KeyType.of("VARCHAR").compare(bytes, "az") > 0);
        assertEquals("\uFFFD", KeyType.of("VARCHAR").ofRow(StringData.fromString("\uFFFD")));
    }

    @Test
    void aTypeIsReadWholeOrRefused() throws Exception {
        JsonNode cases = new ObjectMapper()
                .readTree(Path.of("../../tests/data/column-types.json").toFile());
        cases.get("accepted").fieldNames().forEachRemaining(LindormType::flinkType);
        assertTrue(cases.get("refused").size() > 10);
        for (JsonNode refused : cases.get("refused")) {
            assertThrows(
                    IllegalArgumentException.class, () -> LindormType.flinkType(refused.asText()), refused.asText());
        }
    }

    @Test
    void keysMustBeDeclaredWithoutLoss() {
        assertTrue(LindormType.keepsKeys(DataTypes.BIGINT().getLogicalType(), "INT"));
        assertTrue(!LindormType.keepsKeys(DataTypes.INT().getLogicalType(), "BIGINT"));
        assertTrue(!LindormType.keepsKeys(DataTypes.TIMESTAMP_LTZ(0).getLogicalType(), "TIMESTAMP"));
        assertTrue(!LindormType.keepsKeys(DataTypes.DECIMAL(10, 1).getLogicalType(), "DECIMAL(10,2)"));
        assertTrue(!LindormType.keepsKeys(DataTypes.STRING().getLogicalType(), "BIGINT"));
        assertTrue(LindormType.keepsKeys(DataTypes.DECIMAL(20, 0).getLogicalType(), "bigint unsigned"));
    }
}
