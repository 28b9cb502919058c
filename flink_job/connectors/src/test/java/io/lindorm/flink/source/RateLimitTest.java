package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RateLimitTest {

    private static final long SECOND = 1_000_000_000L;

    @Test
    void theFileTakesThePlaceOfTheOption(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("rates.json");
        assertEquals(500, new RateLimit(500, file.toString()).read(), "without the file");
        Files.writeString(file, "{\"version\": 1, \"writeUnitsPerSecond\": null, \"rowsPerSecond\": 200}");
        assertEquals(200, new RateLimit(500, file.toString()).read());
        assertEquals(200, new RateLimit(100, file.toString()).read(), "what the user has raised since");
        assertEquals(200, new RateLimit(0, file.toString()).read());
        Files.writeString(file, "{\"version\": 1, \"rowsPerSecond\": null}");
        assertEquals(0, new RateLimit(500, file.toString()).read(), "the user wants no limit any more");
        Files.writeString(file, "{\"rowsPerSecond\": \"many\"}");
        assertThrows(IOException.class, () -> new RateLimit(0, file.toString()).read());
    }

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
}
