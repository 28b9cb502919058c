package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What comes in another order than the reader's own is never taken for a table that is read. */
@Timeout(120)
class KeyOrderTest {

    private static PrimaryKey key(Object... namesAndTypes) {
        List<KeyColumn> key = new ArrayList<>();
        for (int i = 0; i < namesAndTypes.length; i += 2) {
            String type = (String) namesAndTypes[i + 1];
            key.add(new KeyColumn((String) namesAndTypes[i], type.replace(" DESC", ""), type.endsWith(" DESC")));
        }
        return new PrimaryKey(key);
    }

    private static void check(PrimaryKey key, KeyRangeSplit range, List<Key> rows) {
        List<GenericRowData> page = rows.stream().map(MemoryTable::toRow).toList();
        new KeyOrder("t", key).check(range, page, RowLayout.ofKey(key));
        rows.forEach(row -> new KeyOrder("t", key).check(range, row));
    }

    @RepeatedTest(100)
    void rowsInOrderAndInTheirRangePassWhateverTheirKey(RepetitionInfo repetition) {
        Random random = new Random(repetition.getCurrentRepetition());
        PrimaryKey key = RandomKeys.columns(random);
        List<Key> rows = new ArrayList<>(RandomKeys.table(key, 2 + random.nextInt(60), random));
        int from = random.nextInt(rows.size());
        int to = from + random.nextInt(rows.size() - from + 1);
        Key lower = rows.get(from).prefix(1 + random.nextInt(key.size()));
        KeyRangeSplit range = KeyRangeSplit.of("0", key, lower, to < rows.size() ? rows.get(to) : null);
        check(key, range, rows.subList(from, to));
        if (from > 0) {
            check(key, range.readTo(rows.get(from - 1), 1), rows.subList(from, to));
        }
    }

    @RepeatedTest(100)
    void rowsOutOfOrderOrOutOfTheirRangeDoNot(RepetitionInfo repetition) {
        Random random = new Random(repetition.getCurrentRepetition());
        PrimaryKey key = RandomKeys.columns(random);
        List<Key> rows = new ArrayList<>(RandomKeys.table(key, 4 + random.nextInt(60), random));
        if (rows.size() < 4) {
            return;
        }
        List<Key> all = rows;
        KeyRangeSplit whole = KeyRangeSplit.of("0", key, all.get(0), null);
        List<Key> swapped = new ArrayList<>(rows);
        Collections.swap(swapped, random.nextInt(rows.size() - 1), rows.size() - 1);
        assertThrows(UserError.class, () -> check(key, whole, swapped));
        List<Key> doubled = new ArrayList<>(rows);
        doubled.add(rows.get(rows.size() - 1));
        assertThrows(UserError.class, () -> check(key, whole, doubled));
        assertThrows(UserError.class, () -> check(key, whole.from(all.get(1)), all));
        assertThrows(UserError.class, () -> check(key, whole.until(all.get(all.size() - 1)), all));
        assertThrows(UserError.class, () -> check(key, whole.readTo(all.get(0), 1), all));
    }

    @Test
    void theSentenceNamesTableColumnAndValuesInBoundedLength() {
        PrimaryKey key = key("device", "VARCHAR", "n", "BIGINT DESC");
        UserError said = assertThrows(
                UserError.class,
                () -> check(
                        key,
                        KeyRangeSplit.of("0", key, Key.of("A"), null),
                        List.of(Key.of("b", 1L), Key.of("B" + "x".repeat(5_000), 2L))));
        assertTrue(
                said.getMessage().contains("the rows of table `t` do not come in the order of their key"),
                said.getMessage());
        assertTrue(said.getMessage().contains("(device = 'b', n = 1) before (device = 'Bxxx"), said.getMessage());
        assertTrue(said.getMessage().contains("column `device` (VARCHAR)"), said.getMessage());
        assertTrue(said.getMessage().length() < 1_000, said.getMessage());
    }

    @Test
    void zeroAndMinusZeroMayComeInEitherOrder() {
        for (String direction : List.of("", " DESC")) {
            PrimaryKey key = key("d", "DOUBLE" + direction, "n", "BIGINT");
            KeyRangeSplit range = KeyRangeSplit.of("0", key, Key.of(0.0), null);
            check(key, range, List.of(Key.of(0.0, 1L), Key.of(-0.0, 2L), Key.of(0.0, 3L)));
            check(key, range, List.of(Key.of(-0.0, 9L), Key.of(0.0, 1L)));
            assertThrows(UserError.class, () -> check(key, range, List.of(Key.of(0.0, 2L), Key.of(0.0, 1L))));
        }
    }

    @ParameterizedTest
    @CsvSource({"case-insensitive, ", "utf-16, ", "case-insensitive, DESC"})
    void aCollationThatIsNotTheBytesOrderEndsTheScanAndNamesTheColumn(
            String order, String direction, @TempDir Path folder) throws Exception {
        try (StandIn lindorm = new StandIn(folder)) {
            lindorm.post("/settings", "{\"text_order\": \"" + order + "\"}");
            List<String> rows = new ArrayList<>();
            for (int i = 0; i < 3_000; i++) {
                String text = order.equals("utf-16")
                        ? new String(Character.toChars(0xff21 + i * 40))
                        : (i % 2 == 0 ? "dev-" : "DEV-") + i;
                rows.add("('" + text + "', " + i + ")");
            }
            lindorm.execute(
                    "CREATE TABLE t (k VARCHAR, n BIGINT, PRIMARY KEY (k " + (direction == null ? "" : direction)
                            + ", n))",
                    "UPSERT INTO t VALUES " + String.join(", ", rows));
            RowType columns = (RowType)
                    DataTypes.ROW(DataTypes.FIELD("n", DataTypes.BIGINT())).getLogicalType();
            for (String points : new String[] {null, "dev-1;DEV-2"}) {
                Scan scan = Scans.of(
                        "url",
                        lindorm.url(),
                        "username",
                        StandIn.USER,
                        "password",
                        StandIn.PASSWORD,
                        "scan.page-size",
                        "100",
                        "scan.split.points",
                        points);
                UserError said = assertThrows(
                        UserError.class, () -> Scans.read(new LindormServer(), scan, new Wanted(columns, false), 8));
                assertTrue(
                        said.getMessage().contains("do not come in the order of their key")
                                && said.getMessage().contains("column `k` (VARCHAR"),
                        said.getMessage());
            }
        }
    }

    @Test
    void textThatACollationOrdersAsItsBytesIsRead(@TempDir Path folder) throws Exception {
        try (StandIn lindorm = new StandIn(folder)) {
            lindorm.post("/settings", "{\"text_order\": \"case-insensitive\"}");
            lindorm.post("/load", "{\"rows\": 3000}");
            RowType columns = (RowType)
                    DataTypes.ROW(DataTypes.FIELD("val", DataTypes.DOUBLE())).getLogicalType();
            Scan scan = Scans.of(
                    "url",
                    lindorm.url(),
                    "table-name",
                    "readings",
                    "username",
                    StandIn.USER,
                    "password",
                    StandIn.PASSWORD,
                    "scan.page-size",
                    "100");
            assertEquals(
                    3_000,
                    Scans.read(new LindormServer(), scan, new Wanted(columns, false), 8)
                            .size());
        }
    }
}
