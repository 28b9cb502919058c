package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Random;
import org.apache.flink.table.data.StringData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class KeyTypeTest {

    @ParameterizedTest
    @EnumSource(RandomKeys.Type.class)
    void aValueBetweenTwoOthersIsBetweenThem(RandomKeys.Type type) {
        Random random = new Random(type.ordinal());
        for (int i = 0; i < 2_000; i++) {
            Object from = type.value(random);
            Object to = type.value(random);
            KeyType keyType = KeyType.of(type.lindormType());
            Object middle = keyType.at(from, to, 1 + random.nextInt(7), 8);
            boolean ascending = keyType.compare(from, to) <= 0;
            String shown = RandomKeys.show(from) + " .. " + RandomKeys.show(middle) + " .. " + RandomKeys.show(to);
            assertTrue(keyType.compare(middle, ascending ? from : to) >= 0, shown);
            assertTrue(keyType.compare(middle, ascending ? to : from) <= 0, shown);
        }
    }

    /** What a column of each type can hold at most, as its own parser says it. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "TINYINT | -128 | 127",
                "SMALLINT | -32768 | 32767",
                "INTEGER | -2147483648 | 2147483647",
                "BIGINT | -9223372036854775808 | 9223372036854775807",
                "BIGINT UNSIGNED | 0 | 18446744073709551615",
                "DECIMAL(5,2) | -999.99 | 999.99",
                "DECIMAL(38,38) | 0.00000000000000000000000000000000000001 | 0.99999999999999999999999999999999999999",
                "DECIMAL | -99.9 | 12.34",
                "FLOAT | -3.4028235E38 | 3.4028235E38",
                "DOUBLE | -1.7976931348623157E308 | 1.7976931348623157E308",
                "TIMESTAMP | 0001-01-01T00:00:00Z | 9999-12-31T23:59:59.999Z",
                "DATE | 0001-01-01 | 9999-12-31",
                "TIME | 00:00:00 | 23:59:59",
            })
    void noValueBeyondTheEndsOfATypeIsMade(String type, String least, String greatest) {
        KeyType keyType = KeyType.of(type);
        Object low = keyType.parse(least, type);
        Object high = keyType.parse(greatest, type);
        for (long numerator = 1; numerator < 1L << 40; numerator *= 3) {
            for (long denominator : new long[] {1, 7, 1L << 20}) {
                Object up = keyType.at(low, high, numerator, denominator);
                Object down = keyType.at(high, low, numerator, denominator);
                for (Object made : List.of(up, down)) {
                    if (made instanceof BigDecimal number) {
                        BigDecimal end = (BigDecimal) high;
                        assertTrue(
                                number.scale() <= end.scale()
                                        && number.precision() - number.scale()
                                                <= Math.max(0, end.precision() - end.scale()),
                                number.toString());
                    } else {
                        assertTrue(
                                keyType.compare(made, low) >= 0 && keyType.compare(made, high) <= 0,
                                RandomKeys.show(made));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "DECIMAL(5,2) | 0.010625 | 0.02", "DECIMAL(5,2) | 1e9 | 999.99", "DECIMAL(5,2) | -1E+9 | -999.99",
                        "DECIMAL(5,2) | 7 | 7.00",
                "BIGINT UNSIGNED | -1 | 0", "BIGINT UNSIGNED | 1.5 | 2", "TINYINT | 300 | 127",
                        "DECIMAL | 0.010625 | 0.010625",
                "TIMESTAMP | 2023-01-01T00:00:00.0019Z | 2023-01-01T00:00:00.001", "TIME | 12:30:15.5 | 12:30:15",
                        "BOOLEAN | 1 | true", "BOOLEAN | FALSE | false",
            })
    void aUsersValueIsMadeOneThatTheColumnCanHold(String type, String text, String held) {
        assertEquals(held, KeyType.of(type).parse(text, type).toString());
    }

    @ParameterizedTest
    @CsvSource({
        "BOOLEAN, yes",
        "DOUBLE, NaN",
        "FLOAT, 1e39",
        "DOUBLE, Infinity",
        "DECIMAL, 1.2.3",
        "VARBINARY, abc",
        "DATE, 2023-02-30",
        "TIME, 24:00:00"
    })
    void whatIsNoValueOfATypeIsSaidSo(String type, String text) {
        IllegalArgumentException said = assertThrows(
                IllegalArgumentException.class, () -> KeyType.of(type).parse(text, type));
        assertEquals("'" + text + "' is no value of type " + type, said.getMessage());
    }

    @Test
    void decimalsOfAnUnknownScaleAreNumbersAndNotText() {
        KeyType decimal = KeyType.of("DECIMAL");
        Object nine = decimal.ofRow(StringData.fromString("9.5"));
        Object ten = decimal.ofRow(StringData.fromString("10"));
        assertTrue(decimal.compare(nine, ten) < 0);
        assertTrue(decimal.compareInRows(StringData.fromString("9.5"), StringData.fromString("10")) < 0);
        assertEquals(new BigDecimal("9.7"), decimal.at(nine, ten, 1, 2));
    }

    @Test
    void shorterTextOfAFixedLengthIsAsIfSpacesFollowed() {
        assertTrue(KeyType.of("CHAR(3)").compare("a", "a\t") > 0);
        assertTrue(KeyType.of("VARCHAR(3)").compare("a", "a\t") < 0);
        assertEquals(0, KeyType.of("CHAR(3)").compareInRows(StringData.fromString("a"), StringData.fromString("a  ")));
    }

    @Test
    void theMiddleIsTheMiddle() {
        assertEquals(50L, KeyType.of("BIGINT").at(0L, 100L, 1, 2));
        assertEquals(0L, KeyType.of("BIGINT").at(Long.MIN_VALUE + 1, Long.MAX_VALUE, 1, 2));
        assertEquals(
                new BigDecimal("1.505"),
                KeyType.of("DECIMAL(10,3)").at(new BigDecimal("1.01"), new BigDecimal("2.000"), 1, 2));
        assertEquals(2.5, KeyType.of("DOUBLE").at(-5.0, 10.0, 1, 2));
        assertEquals(
                LocalDate.of(2023, 1, 2),
                KeyType.of("DATE").at(LocalDate.of(2023, 1, 1), LocalDate.of(2023, 1, 3), 1, 2));
        assertEquals(
                LocalDateTime.of(1969, 12, 31, 23, 59, 59, 500_000_000),
                KeyType.of("TIMESTAMP")
                        .at(LocalDateTime.of(1969, 12, 31, 23, 59, 59), LocalDateTime.of(1970, 1, 1, 0, 0), 1, 2));
        assertEquals(
                "device-0005",
                ((String) KeyType.of("VARCHAR").at("device-0000", "device-0010", 1, 2)).substring(0, 11));
        assertEquals("m", ((String) KeyType.of("VARCHAR").at("a", "z", 1, 2)).substring(0, 1));
        assertTrue(((String) KeyType.of("VARCHAR").at("\u4e00", "\u9fff", 1, 2)).codePointAt(0) > 0x7000);
        assertEquals(
                (byte) 0x7f, ((byte[]) KeyType.of("VARBINARY").at(new byte[] {1, 0}, new byte[] {1, -1}, 1, 2))[1]);
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
}
