package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScanQueryTest {

    private static final PrimaryKey KEY = PrimaryKey.of(
            new KeyColumn("a", "VARCHAR", false), new KeyColumn("b", "BIGINT", true), new KeyColumn("c", "INT", false));

    private static KeyRangeSplit split(Key lower, Key upper, Key last) {
        return new KeyRangeSplit("0", KeyRangeSplit.Kind.OPEN, KEY, lower, upper, last, 0);
    }

    @Test
    void theFirstPage() {
        ScanQuery query = ScanQuery.page(Scans.of(), List.of("a", "v"), split(Key.of("k"), null, null), 2000);
        assertEquals("SELECT `a`, `v` FROM `t` WHERE `a` >= ? ORDER BY `a`, `b` DESC, `c` LIMIT 2000", query.sql());
        assertEquals(List.of("k"), query.parameters());
    }

    @Test
    void aLaterPageWithAllConditions() {
        Scan scan = Scans.of(
                "scan.timestamp.column", "ts",
                "scan.timestamp.start", "2023-01-01T00:00:00Z",
                "scan.timestamp.end", "2023-02-01T00:00:00Z",
                "scan.filter", "x = 1");
        ScanQuery query = ScanQuery.page(scan, List.of("a"), split(Key.of("k"), Key.of("m"), Key.of("l", 7L, 3L)), 10);
        assertEquals(
                "SELECT `a` FROM `t` WHERE `a` >= ? AND (`a` > ? OR (`a` = ? AND (`b` < ? OR (`b` = ? AND `c` > ?))))"
                        + " AND `a` < ? AND `ts` >= ? AND `ts` < ? AND (\nx = 1\n) ORDER BY `a`, `b` DESC, `c` LIMIT 10",
                query.sql());
        assertEquals(List.of("l", "l", "l", 7L, 7L, 3L, "m", scan.start(), scan.end()), query.parameters());
    }

    @Test
    void onlyTheLookForTheFirstKeyOfAllMayScan() {
        assertEquals(
                "SELECT /*+ _l_allow_filtering_ */ `a`, `b`, `c` FROM `t` ORDER BY `a`, `b` DESC, `c` LIMIT 1",
                ScanQuery.key(Scans.of(), split(null, null, null), 0, false).sql());
        Scan onKey = Scans.of("scan.timestamp.column", "a", "scan.timestamp.start", "2023-01-01T00:00:00Z");
        assertEquals(
                "SELECT `a`, `b`, `c` FROM `t` WHERE `a` >= ? ORDER BY `a`, `b` DESC, `c` LIMIT 1",
                ScanQuery.key(onKey, split(null, null, null), 0, false).sql());
    }

    @Test
    void keysAreLookedForInARangeWithoutTheFilter() {
        Scan scan = Scans.of(
                "scan.filter", "x = 1", "scan.timestamp.column", "c", "scan.timestamp.end", "2023-01-01T00:00:00Z");
        assertEquals(
                "SELECT `a`, `b`, `c` FROM `t` WHERE `a` >= ? AND `a` < ? ORDER BY `a` DESC, `b`, `c` DESC LIMIT 1",
                ScanQuery.key(scan, split(Key.of("k"), Key.of("m"), null), 0, true)
                        .sql());
        assertEquals(
                "SELECT `a`, `b`, `c` FROM `t` WHERE `a` >= ? ORDER BY `a`, `b` DESC, `c` LIMIT 1 OFFSET 2000",
                ScanQuery.key(scan, split(Key.of("k"), null, null), 2000, false).sql());
    }

    @Test
    void aTimeLimitShorterThanTheServersIsKeptByTheServer() {
        assertEquals(
                "SELECT /*+ _l_operation_timeout_(30000) */ `a` FROM `t` WHERE `a` >= ? ORDER BY `a`, `b` DESC, `c` LIMIT 5",
                ScanQuery.page(Scans.of("scan.timeout", "30 s"), List.of("a"), split(Key.of("k"), null, null), 5)
                        .sql());
    }

    @Test
    void namesAreQuoted() {
        assertEquals("`a``; DROP`", ScanQuery.quote("a`; DROP"));
    }

    /** For every shape of key, pages put together are the table, in order, each row once. */
    @ParameterizedTest
    @ValueSource(strings = {"a", "d", "aa", "ad", "da", "dd", "aaa", "ada", "dad", "ddd", "aadd", "dadad"})
    void pagesMakeTheTable(String shape) throws Exception {
        Random random = new Random(shape.hashCode());
        String database = "q" + UUID.randomUUID();
        Map<String, String> columns = new LinkedHashMap<>();
        for (int i = 0; i < shape.length(); i++) {
            columns.put("k" + i, "INT" + (shape.charAt(i) == 'd' ? " DESC" : ""));
        }
        H2Server.create(database, "t", columns, shape.length());
        PrimaryKey key = new H2Server(database, 0).describe(null, "t").key();
        List<Key> table = new ArrayList<>();
        try (Connection connection = H2Server.open(database)) {
            String marks = String.join(", ", java.util.Collections.nCopies(shape.length(), "?"));
            try (PreparedStatement insert =
                    connection.prepareStatement("INSERT IGNORE INTO `t` VALUES (" + marks + ")")) {
                for (int row = 0; row < 150; row++) {
                    Object[] values = new Object[shape.length()];
                    for (int i = 0; i < shape.length(); i++) {
                        values[i] = (long) random.nextInt(5);
                        insert.setObject(i + 1, values[i]);
                    }
                    if (insert.executeUpdate() == 1) {
                        table.add(Key.of(values));
                    }
                }
            }
            table.sort((x, y) -> {
                for (int i = 0; i < shape.length(); i++) {
                    int order = KeyType.of("BIGINT").compare(x.get(i), y.get(i));
                    if (order != 0) {
                        return shape.charAt(i) == 'd' ? -order : order;
                    }
                }
                return 0;
            });
            // Cut at random rows, at whole keys and at beginnings of keys.
            List<Key> bounds = new ArrayList<>();
            bounds.add(table.get(0).prefix(1));
            for (int at : new int[] {table.size() / 3, table.size() * 2 / 3}) {
                bounds.add(table.get(at).prefix(1 + random.nextInt(shape.length())));
            }
            bounds.add(null);
            List<Key> read = new ArrayList<>();
            for (int i = 0; i + 1 < bounds.size(); i++) {
                KeyRangeSplit split = KeyRangeSplit.of("s", key, bounds.get(i), bounds.get(i + 1));
                while (true) {
                    List<Key> page = page(connection, split, shape.length());
                    if (page.isEmpty()) {
                        break;
                    }
                    read.addAll(page);
                    assertTrue(read.size() <= table.size(), "rows come twice");
                    split = split.readTo(page.get(page.size() - 1), 0);
                }
            }
            assertEquals(table, read);
        }
    }

    private static List<Key> page(Connection connection, KeyRangeSplit split, int columns) throws Exception {
        String[] names = new String[columns];
        Arrays.setAll(names, i -> "k" + i);
        try (PreparedStatement statement =
                        Session.prepare(connection, ScanQuery.page(Scans.of(), List.of(names), split, 3));
                ResultSet rows = statement.executeQuery()) {
            List<Key> page = new ArrayList<>();
            while (rows.next()) {
                Object[] row = new Object[columns];
                for (int i = 0; i < columns; i++) {
                    row[i] = rows.getLong(i + 1);
                }
                page.add(Key.of(row));
            }
            return page;
        }
    }
}
