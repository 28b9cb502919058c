package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import org.junit.jupiter.api.Test;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.Random;

class KeyInterpolationTest {

    @ParameterizedTest
    @EnumSource(RandomKeys.Type.class)
    void aValueBetweenTwoOthersIsBetweenThem(RandomKeys.Type type) {
        Random random = new Random(type.ordinal());
        for (int i = 0; i < 2_000; i++) {
            Object from = type.value(random);
            Object to = type.value(random);
            Object middle = KeyInterpolation.at(from, to, 1 + random.nextInt(7), 8);
            boolean ascending = KeyValues.compare(from, to) <= 0;
            String shown = RandomKeys.show(from) + " .. " + RandomKeys.show(middle) + " .. " + RandomKeys.show(to);
            assertTrue(KeyValues.compare(middle, ascending ? from : to) >= 0, shown);
            assertTrue(KeyValues.compare(middle, ascending ? to : from) <= 0, shown);
        }
    }

    @ParameterizedTest
    @EnumSource(RandomKeys.Type.class)
    void aValueBeyondIsOneThatTheTypeCanHold(RandomKeys.Type type) {
        Random random = new Random(type.ordinal());
        for (int i = 0; i < 2_000; i++) {
            Object beyond = KeyInterpolation.at(type.value(random), type.value(random), 1L << random.nextInt(20), 1);
            Object held = KeyValues.within(beyond, type.lindormType());
            assertEquals(0, KeyValues.compare(held, KeyValues.within(held, type.lindormType())));
        }
    }

    @Test
    void theMiddleIsTheMiddle() {
        assertEquals(50L, KeyInterpolation.at(0L, 100L, 1, 2));
        assertEquals(0L, KeyInterpolation.at(Long.MIN_VALUE + 1, Long.MAX_VALUE, 1, 2));
        assertEquals(new BigDecimal("1.505"), KeyInterpolation.at(new BigDecimal("1.01"), new BigDecimal("2.000"), 1, 2));
        assertEquals(2.5, KeyInterpolation.at(-5.0, 10.0, 1, 2));
        assertEquals(LocalDate.of(2023, 1, 2), KeyInterpolation.at(LocalDate.of(2023, 1, 1), LocalDate.of(2023, 1, 3), 1, 2));
        assertEquals(
                LocalDateTime.of(1969, 12, 31, 23, 59, 59, 500_000_000),
                KeyInterpolation.at(LocalDateTime.of(1969, 12, 31, 23, 59, 59), LocalDateTime.of(1970, 1, 1, 0, 0), 1, 2));
        assertEquals("device-0005", ((String) KeyInterpolation.at("device-0000", "device-0010", 1, 2)).substring(0, 11));
        assertEquals("m", ((String) KeyInterpolation.at("a", "z", 1, 2)).substring(0, 1));
        assertTrue(((String) KeyInterpolation.at("\u4e00", "\u9fff", 1, 2)).codePointAt(0) > 0x7000);
        assertEquals((byte) 0x7f, ((byte[]) KeyInterpolation.at(new byte[] {1, 0}, new byte[] {1, -1}, 1, 2))[1]);
    }
}
