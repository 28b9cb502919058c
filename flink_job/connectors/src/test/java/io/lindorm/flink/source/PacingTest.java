package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** All readers together keep the rate, and come to it, also when it changes while they read. */
@Timeout(60)
class PacingTest {

    private static final long SECOND = 1_000_000_000L;
    private static final PrimaryKey KEY = PrimaryKey.of(new KeyColumn("n", "BIGINT", false));
    private static final RowType ROWS =
            (RowType) DataTypes.ROW(DataTypes.FIELD("n", DataTypes.BIGINT())).getLogicalType();

    private static TreeSet<Key> table(int rows) {
        TreeSet<Key> table = new TreeSet<>(KEY::compare);
        for (long i = 0; i < rows; i++) {
            table.add(Key.of(i));
        }
        return table;
    }

    /** Rows a second that came out between two times. */
    private static double rate(VirtualScan scan, long fromSecond, long toSecond) {
        return (double) scan.out.stream()
                        .filter(out -> out.nanos() >= fromSecond * SECOND && out.nanos() < toSecond * SECOND)
                        .count()
                / (toSecond - fromSecond);
    }

    private static void assertRate(double wanted, double found) {
        assertTrue(found > 0.93 * wanted && found < 1.07 * wanted, found + " rows a second instead of " + wanted);
    }

    @Test
    void whatASlowReaderDoesNotUseTheOthersGet() throws Exception {
        // At a second for a page of 50 rows, the first reader can have 50 rows a second and not its share of 500.
        VirtualScan scan = new VirtualScan(
                        KEY,
                        table(40_000),
                        Scans.of("scan.page-size", "50", "scan.rows-per-second", "2000"),
                        ROWS,
                        4,
                        reader -> TimeUnit.MILLISECONDS.toNanos(reader == 0 ? 1_000 : 5))
                .run();
        assertEquals(40_000, scan.out.size());
        assertRate(2_000, rate(scan, 4, 9));
        assertRate(
                50,
                scan.out.stream()
                                .filter(out ->
                                        out.subtask() == 0 && out.nanos() >= 4 * SECOND && out.nanos() < 9 * SECOND)
                                .count()
                        / 5.0);
    }

    @Test
    void aReaderThatBecomesFastGetsItsShareBack() throws Exception {
        long[] latency = {1_000};
        VirtualScan scan = new VirtualScan(
                        KEY,
                        table(40_000),
                        Scans.of("scan.page-size", "50", "scan.rows-per-second", "2000"),
                        ROWS,
                        4,
                        reader -> TimeUnit.MILLISECONDS.toNanos(reader == 0 ? latency[0] : 5))
                .at(8 * SECOND, () -> latency[0] = 5)
                .run();
        assertRate(2_000, rate(scan, 4, 8));
        assertRate(2_000, rate(scan, 12, 17));
        assertRate(
                500,
                scan.out.stream()
                                .filter(out ->
                                        out.subtask() == 0 && out.nanos() >= 12 * SECOND && out.nanos() < 17 * SECOND)
                                .count()
                        / 5.0);
    }

    @Test
    void theRateChangesWhileTheScanRunsUpAndDownAndAway(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("rates.json");
        write(file, "2000");
        VirtualScan scan = new VirtualScan(
                        KEY,
                        table(200_000),
                        Scans.of(
                                "scan.page-size",
                                "50",
                                "scan.rows-per-second",
                                "1000",
                                "scan.rates.path",
                                file.toString()),
                        ROWS,
                        4,
                        reader -> TimeUnit.MILLISECONDS.toNanos(5))
                .at(9 * SECOND, () -> write(file, "8000"))
                .at(19 * SECOND, () -> write(file, "500"))
                .at(29 * SECOND, () -> write(file, "null"))
                .run();
        assertEquals(200_000, scan.out.size());
        assertRate(2_000, rate(scan, 1, 9));
        assertRate(8_000, rate(scan, 12, 19));
        assertRate(500, rate(scan, 22, 29));
        // 50 rows in 5 ms, four times over.
        assertRate(40_000, rate(scan, 31, 32));
    }

    private static void write(Path file, String rowsPerSecond) {
        try {
            Files.writeString(
                    file, "{\"version\": 1, \"writeUnitsPerSecond\": null, \"rowsPerSecond\": " + rowsPerSecond + "}");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
