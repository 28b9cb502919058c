package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Timeout;

/** For random tables and random failures: every row of the table comes out, and each is counted once. */
@Timeout(120)
class ScanSimulationTest {

    private static int cuts;
    private static int failures;

    @RepeatedTest(200)
    void everyRowComesOutOnceWhateverFails(RepetitionInfo repetition) throws Exception {
        Random random = new Random(repetition.getCurrentRepetition());
        PrimaryKey key = RandomKeys.columns(random);
        TreeSet<Key> rows = RandomKeys.table(key, 1 + random.nextInt(1_200), random);
        Scan scan = Scans.of(
                "scan.page-size",
                Integer.toString(1 + random.nextInt(8)),
                "scan.filter",
                random.nextBoolean() ? "some" : null);
        boolean backwards = random.nextInt(3) > 0;
        int mostPassedOver = scan.filter() == null ? Integer.MAX_VALUE : 2 * scan.pageSize() + random.nextInt(100);
        int share = 1 + random.nextInt(40);
        RowType wanted = RowType.of(
                key.columns().stream()
                        .map(column -> LindormType.flinkType(column.type()))
                        .toArray(LogicalType[]::new),
                key.columns().stream().map(KeyColumn::name).toArray(String[]::new));
        int parts = 1 + random.nextInt(3);
        ScanSimulation simulation = new ScanSimulation(
                scan,
                new Wanted(wanted, false),
                onRetry -> {
                    MemoryTable table = new MemoryTable(key, rows, backwards);
                    table.mostPassedOver = mostPassedOver;
                    table.filter = row -> scan.filter() == null
                            || Math.floorMod(MemoryTable.toRow(row).hashCode(), share) == 0;
                    return table;
                },
                () -> SplitPlanner.cut(
                        new MemoryTable(key, rows, backwards),
                        KeyRangeSplit.of("", key, rows.first().prefix(1), null),
                        scan,
                        parts),
                1 + random.nextInt(4),
                random);
        List<String> out = simulation.run(random.nextInt(6));
        List<String> expected = rows.stream()
                .map(MemoryTable::toRow)
                .filter(row -> scan.filter() == null || Math.floorMod(row.hashCode(), share) == 0)
                .map(Object::toString)
                .toList();
        assertEquals(expected.size(), out.size());
        assertEquals(new HashSet<>(expected), new HashSet<>(out));
        assertEquals(expected.size(), simulation.rowsRead());
        cuts += simulation.cuts;
        failures += simulation.failures;
    }

    @AfterAll
    static void theSimulationWasOne() {
        assertTrue(failures > 250 && cuts > 250, failures + " failures, " + cuts + " cuts");
    }
}
