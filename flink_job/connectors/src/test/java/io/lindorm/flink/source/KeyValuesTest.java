package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.StringData;

import org.junit.jupiter.api.Test;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.List;
import java.util.Map;
import java.util.Set;

class KeyValuesTest {

    private static final List<KeyColumn> KEY = List.of(new KeyColumn("k", "VARCHAR(10)", true), new KeyColumn("l", "BIGINT", false));

    @Test
    void aSplitComesBackFromACheckpoint() throws Exception {
        KeyRangeSplitSerializer serializer = new KeyRangeSplitSerializer();
        List<Object> everything = List.of(
                true, -5L, new BigDecimal("-123456789012345678901234567890.12"), 1.5f, -2.25d, "h\u00e9 \uD83D\uDE00" + "x".repeat(70_000),
                LocalDateTime.of(1, 1, 1, 0, 0, 0, 1_000_000), LocalDate.of(9999, 12, 31), LocalTime.of(23, 59, 59, 999_000_000));
        KeyRangeSplit split = new KeyRangeSplit("7", KeyRangeSplit.Kind.OFFERED, KEY, everything, null, List.of("a", 3L), 42);
        assertEquals(split, serializer.deserialize(2, serializer.serialize(split)));
        KeyRangeSplit fresh = KeyRangeSplit.of("8", KEY, List.of("a"), List.of("b", 1L));
        assertEquals(fresh, serializer.deserialize(2, serializer.serialize(fresh)));
        SplitBacklog backlog = new SplitBacklog(true, List.of(split, fresh), Map.of("7", List.of("q", 5L)), Set.of("8", "x"));
        KeyRangeSplit count = KeyRangeSplit.count("c", 12);
        assertEquals(count, serializer.deserialize(2, serializer.serialize(count)));
        SplitBacklog.Serializer ofBacklog = new SplitBacklog.Serializer();
        assertEquals(backlog, ofBacklog.deserialize(2, ofBacklog.serialize(backlog)));
        KeyRangeSplit bytes = KeyRangeSplit.of("9", KEY, List.of(new byte[] {0, -1}), null);
        assertArrayEquals(
                new byte[] {0, -1}, (byte[]) serializer.deserialize(2, serializer.serialize(bytes)).lower().get(0));
    }

    @Test
    void textIsOrderedByItsBytes() {
        assertTrue(KeyValues.compare("Z", "a") < 0);
        // In UTF-16 the emoji, a surrogate pair, would be before the full-width letter.
        assertTrue(KeyValues.compare("\uFF21", "\uD83D\uDE00") < 0);
        assertTrue(KeyValues.compare(new byte[] {1}, new byte[] {-1}) < 0);
    }

    @Test
    void valuesOfUsersAreReadByType() {
        assertEquals(5L, KeyValues.parse("5", "INT"));
        assertEquals(new BigDecimal("18446744073709551615"), KeyValues.parse("18446744073709551615", "BIGINT UNSIGNED"));
        assertEquals(LocalDateTime.of(2022, 12, 31, 16, 0), KeyValues.parse("2023-01-01T00:00:00+08:00", "TIMESTAMP"));
        assertEquals(" x", KeyValues.parse(" x", "VARCHAR(3)"));
        assertArrayEquals(new byte[] {10, -1}, (byte[]) KeyValues.parse("0aff", "VARBINARY"));
        assertThrows(IllegalArgumentException.class, () -> KeyValues.parse("x", "BIGINT"));
        assertThrows(IllegalArgumentException.class, () -> KeyValues.parse("yesterday", "TIMESTAMP"));
    }

    @Test
    void aKeyThatCannotBeSentBackEndsTheScan() {
        StringData broken = StringData.fromBytes(new byte[] {'a', (byte) 0xff});
        assertThrows(UserError.class, () -> KeyValues.ofRow(broken, DataTypes.STRING().getLogicalType(), "k"));
        assertEquals("\uFFFD", KeyValues.ofRow(StringData.fromString("\uFFFD"), DataTypes.STRING().getLogicalType(), "k"));
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
