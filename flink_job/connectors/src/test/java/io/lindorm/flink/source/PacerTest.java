package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PacerTest {

    private static final long SECOND = 1_000_000_000L;

    @Test
    void aPacerKeepsToItsRateAndMakesUpForASecondAtMost() {
        long[] now = {5 * SECOND};
        Pacer pacer = new Pacer(() -> now[0]);
        assertEquals(0, pacer.nanosToWait());
        assertEquals(2_000, pacer.pageLimit(2_000));
        now[0] = 10 * SECOND;
        pacer.setRate(100);
        assertEquals(100, pacer.pageLimit(2_000));
        assertEquals(0, pacer.nanosToWait());
        pacer.read(100);
        long wait = pacer.nanosToWait();
        assertTrue(wait > 0.99 * SECOND && wait < 1.01 * SECOND, wait + " ns");
        now[0] = 11 * SECOND + 1;
        assertEquals(0, pacer.nanosToWait());
        now[0] = 12 * SECOND;
        assertEquals(1_000, pacer.lagMillis());
        // After ten idle seconds, one second's rows may come at once, and not ten.
        now[0] = 21 * SECOND;
        assertEquals(0, pacer.nanosToWait());
        pacer.read(200);
        assertTrue(pacer.nanosToWait() > 0.9 * SECOND);
    }

    @Test
    void aPageThatWasReadAtAHighRateHoldsUpReadingAtALowOneForASecondOnly() {
        long[] now = {0};
        Pacer pacer = new Pacer(() -> now[0]);
        pacer.setRate(10_000);
        pacer.read(2_000);
        pacer.setRate(5);
        assertEquals(SECOND, pacer.nanosToWait(), SECOND / 1_000.0);
    }

    @Test
    void aReaderThatItsShareHeldBackCouldUseMore() {
        long[] now = {0};
        Pacer pacer = new Pacer(() -> now[0]);
        pacer.setRate(100);
        pacer.read(120);
        assertTrue(pacer.nanosToWait() > SECOND);
        now[0] = 3 * SECOND / 2;
        assertEquals(0, pacer.nanosToWait());
        assertEquals(Double.POSITIVE_INFINITY, pacer.takeNeed());
    }

    @Test
    void aReaderThatWaitsForTheSinkAndNotForItsShareNeedsNoMoreThanItHasUsed() {
        long[] now = {0};
        Pacer pacer = new Pacer(() -> now[0]);
        pacer.setRate(100);
        pacer.read(1);
        // A hundredth of a second for the rate, and the rest because the rows are not taken.
        assertTrue(pacer.nanosToWait() > 0);
        now[0] = SECOND;
        assertEquals(0, pacer.nanosToWait());
        assertEquals(1.05, pacer.takeNeed(), 0.01);
    }
}
