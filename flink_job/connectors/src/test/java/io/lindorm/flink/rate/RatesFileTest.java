package io.lindorm.flink.rate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The readers' rate and the writers' are read in the same way. */
class RatesFileTest {

    private static final double NO_LIMIT = Double.POSITIVE_INFINITY;

    @TempDir
    private Path folder;

    private Path file;
    private RatesFile rows;
    private RatesFile units;

    @BeforeEach
    void nothingIsReadYet() {
        file = folder.resolve("rates.json");
        rows = new RatesFile(file, "rowsPerSecond", 500);
        units = new RatesFile(file, "writeUnitsPerSecond", NO_LIMIT);
    }

    private void says(String text) throws IOException {
        Files.writeString(file, text);
    }

    private void assertRates(double rowsPerSecond, double unitsPerSecond) {
        assertEquals(rowsPerSecond, rows.perSecond());
        assertEquals(unitsPerSecond, units.perSecond());
    }

    @Test
    void theFileTakesThePlaceOfWhatHoldsWithoutIt() throws Exception {
        assertRates(500, NO_LIMIT);
        says("{\"version\": 1, \"writeUnitsPerSecond\": 7000, \"rowsPerSecond\": null}");
        assertRates(NO_LIMIT, 7_000);
        says("{\"version\": 1, \"writeUnitsPerSecond\": null, \"rowsPerSecond\": 0.5}");
        assertRates(0.5, NO_LIMIT);
    }

    @Test
    void whereNoFileIsNamedNothingChanges() {
        RatesFile none = new RatesFile(null, "rowsPerSecond", 500);
        assertEquals(500, none.perSecond());
        assertTrue(!none.mayChange() && rows.mayChange());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "null",
                "{\"version\": 1}",
                "{\"writeUnitsPerSecond\": 5, \"rowsPerSecond\": 5}",
                "{\"version\": 2, \"writeUnitsPerSecond\": 5, \"rowsPerSecond\": 5}",
                "{\"version\": 1.5, \"writeUnitsPerSecond\": 5, \"rowsPerSecond\": 5}",
                "{\"version\": 1, \"writeUnitsPerSecond\": 0, \"rowsPerSecond\": 0}",
                "{\"version\": 1, \"writeUnitsPerSecond\": -1, \"rowsPerSecond\": -1}",
                "{\"version\": 1, \"writeUnitsPerSecond\": 1e999, \"rowsPerSecond\": 1e999}",
                "{\"version\": 1, \"writeUnitsPerSecond\": \"5\", \"rowsPerSecond\": \"5\"}",
            })
    void whatCannotBeUnderstoodIsRefusedToBeginWithAndChangesNothingLater(String text) throws Exception {
        says(text);
        for (RatesFile rate : new RatesFile[] {rows, units}) {
            UserError refusal = assertThrows(UserError.class, rate::perSecond);
            assertTrue(refusal.getMessage().contains(file.toString()), refusal.getMessage());
        }
        says("{\"version\": 1, \"writeUnitsPerSecond\": 7, \"rowsPerSecond\": 8}");
        assertRates(8, 7);
        says(text);
        assertRates(8, 7);
        says("{\"version\": 1, \"writeUnitsPerSecond\": 70, \"rowsPerSecond\": 80}");
        assertRates(80, 70);
    }

    @Test
    void aFileThatComesLaterAndIsBrokenChangesNothing() throws Exception {
        assertRates(500, NO_LIMIT);
        says("{");
        assertRates(500, NO_LIMIT);
    }

    @Test
    void aFileThatHasGoneIsNoReasonToGoWithoutALimit() throws Exception {
        says("{\"version\": 1, \"writeUnitsPerSecond\": 7, \"rowsPerSecond\": 8}");
        assertRates(8, 7);
        Files.delete(file);
        assertRates(8, 7);
    }

    @Test
    void aFileThatMayNotBeReadIsNamedWithTheReason() throws Exception {
        Files.createDirectory(file);
        UserError refusal = assertThrows(UserError.class, rows::perSecond);
        assertTrue(refusal.getMessage().contains("Is a directory"), refusal.getMessage());
    }
}
