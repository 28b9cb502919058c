package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

class RateLimitTest {

    private static final long SECOND = 1_000_000_000L;

    @Test
    void theSmallerOfOptionAndFileHolds(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("rates.json");
        assertEquals(500, new RateLimit(500, file.toString()).read(), "a missing file sets no limit");
        Files.writeString(file, "{\"version\": 1, \"writeUnitsPerSecond\": null, \"rowsPerSecond\": 200}");
        assertEquals(200, new RateLimit(500, file.toString()).read());
        assertEquals(100, new RateLimit(100, file.toString()).read());
        assertEquals(200, new RateLimit(0, file.toString()).read());
        Files.writeString(file, "{\"version\": 1, \"rowsPerSecond\": null}");
        assertEquals(0, new RateLimit(0, file.toString()).read());
        Files.writeString(file, "{\"rowsPerSecond\": \"many\"}");
        assertThrows(IOException.class, () -> new RateLimit(0, file.toString()).read());
    }

    @Test
    void aPacerKeepsToItsRateAndMakesUpForASecondAtMost() {
        Pacer pacer = new Pacer();
        assertEquals(0, pacer.nanosToWait(5 * SECOND));
        assertEquals(2_000, pacer.pageLimit(2_000));
        pacer.setRate(100, 10 * SECOND);
        assertEquals(100, pacer.pageLimit(2_000));
        assertEquals(0, pacer.nanosToWait(10 * SECOND));
        pacer.read(100);
        long wait = pacer.nanosToWait(10 * SECOND);
        assertTrue(wait > 0.99 * SECOND && wait < 1.01 * SECOND, wait + " ns");
        assertEquals(0, pacer.nanosToWait(11 * SECOND + 1));
        assertEquals(1_000, pacer.lagMillis(12 * SECOND));
        // After ten idle seconds, one second's rows may come at once, and not ten.
        assertEquals(0, pacer.nanosToWait(21 * SECOND));
        pacer.read(200);
        assertTrue(pacer.nanosToWait(21 * SECOND) > 0.9 * SECOND);
    }
}
