package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** All readers have work to the end, over a line on which every query takes 20 ms, on tables that are hard to cut. */
@Timeout(60)
class BalanceTest {

    private static final int READERS = 4;
    private static final long LATENCY_NANOS = 20_000_000L;
    private static final PrimaryKey KEY =
            PrimaryKey.of(new KeyColumn("device", "VARCHAR", false), new KeyColumn("n", "BIGINT", false));
    private static final RowType ROWS = (RowType)
            DataTypes.ROW(DataTypes.FIELD("device", DataTypes.STRING()), DataTypes.FIELD("n", DataTypes.BIGINT()))
                    .getLogicalType();

    /** A table of (device, n) whose rows' devices are given. */
    private static TreeSet<Key> table(List<String> devices) {
        TreeSet<Key> table = new TreeSet<>(KEY::compare);
        for (String device : devices) {
            table.add(Key.of(device, 1_672_531_200_000L + 1_000L * table.size()));
        }
        return table;
    }

    /** Devices where that of rank r has a share of about 1/r; ranks are spread over the names. */
    private static List<String> zipf(int rows, int seed) {
        Random random = new Random(seed);
        List<String> devices = new ArrayList<>();
        for (int i = 0; i < rows; i++) {
            int rank = (int) Math.exp(random.nextDouble() * Math.log(1_000));
            devices.add(String.format("dev-%04d", rank * 7919 % 1000));
        }
        return devices;
    }

    private static void assertBalanced(String name, List<String> devices) throws Exception {
        assertBalanced(name, devices, READERS);
    }

    private static void assertBalanced(String name, List<String> devices, int readers) throws Exception {
        TreeSet<Key> table = table(devices);
        VirtualScan scan = new VirtualScan(
                        KEY, table, Scans.of("scan.page-size", "50"), ROWS, readers, reader -> LATENCY_NANOS)
                .run();
        assertEquals(table.size(), scan.out.size());
        assertEquals(
                table.size(),
                new HashSet<>(scan.out.stream().map(VirtualScan.Out::row).toList()).size());
        double mean = scan.busy().stream().mapToLong(busy -> busy).average().orElseThrow();
        double slowest = scan.busy().stream().mapToLong(busy -> busy).max().orElseThrow() / mean;
        double whole = (scan.end - scan.planned) / mean;
        double ideal = (scan.end - scan.planned) / (table.size() / 50.0 * LATENCY_NANOS / readers);
        System.out.printf(
                "%s: slowest reader %.3f of the mean, the whole scan %.3f of it, and %.3f of nothing but full pages; "
                        + "planned in %.1f s, read in %.1f s, %d pages, %d lookups for cuts%n",
                name,
                slowest,
                whole,
                ideal,
                scan.planned / 1e9,
                (scan.end - scan.planned) / 1e9,
                scan.pages,
                scan.lookups);
        assertTrue(slowest <= 1.25, name + ": " + scan.busy());
        assertTrue(whole <= 1.25, name + ": the scan takes " + whole + " of what its mean reader is busy");
    }

    @Test
    void oneFirstKeyForAllRows() throws Exception {
        assertBalanced("one first key", Collections.nCopies(60_000, "the only one"));
    }

    @Test
    void zipfDistributedFirstKeys() throws Exception {
        for (int seed = 1; seed <= 5; seed++) {
            assertBalanced("Zipf " + seed, zipf(60_000, seed));
        }
    }

    @Test
    void zipfDistributedFirstKeysWithMoreReaders() throws Exception {
        assertBalanced("Zipf, 8 readers", zipf(200_000, 1), 8);
    }

    @Test
    void neighboursAreSpreadOverTheWrites() throws Exception {
        List<String> devices = new ArrayList<>();
        for (int i = 0; i < 60_000; i++) {
            devices.add(String.format("dev-%03d", i / 1_000));
        }
        double before = distinct(devices, "scan.page-size", "1000", "scan.split.number", "1");
        double after = distinct(devices, "scan.page-size", "1000");
        System.out.printf("partition keys in 1,000 consecutive rows: %.1f in key order, %.1f in turn%n", before, after);
        assertTrue(after >= 4 * before, before + " before, " + after + " after");
    }

    /** The mean number of different devices in a thousand consecutive rows of one reader. */
    private static double distinct(List<String> devices, String... options) throws Exception {
        List<VirtualScan.Out> rows =
                new VirtualScan(KEY, table(devices), Scans.of(options), ROWS, 1, reader -> LATENCY_NANOS).run().out;
        double sum = 0;
        for (int i = 0; i + 1_000 <= rows.size(); i += 1_000) {
            sum += new HashSet<>(rows.subList(i, i + 1_000).stream()
                            .map(out -> out.row().getString(0))
                            .toList())
                    .size();
        }
        return sum / (rows.size() / 1_000);
    }
}
