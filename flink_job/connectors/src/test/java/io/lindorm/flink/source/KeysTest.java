package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tables whose key has a column of each type, in each place and direction, cut by the scan itself and at given points. */
@Timeout(300)
class KeysTest {

    private static final int SPLITS = 7;

    /** Types that a key may have, each with literals of some values and points to split at, inside and outside of them. */
    enum Type {
        BOOLEAN("BOOLEAN", List.of("FALSE", "TRUE"), List.of("true", "0")),
        TINYINT("TINYINT", numbers(-128, 127, 1), List.of("-5", "100", "1000")),
        SMALLINT("SMALLINT", numbers(-32768, 32767, 261), List.of("-40000", "0", "7")),
        INTEGER("INTEGER", numbers(-2147483648L, 2147483647L, 17179869), List.of("0", "12345678901")),
        BIGINT("BIGINT", numbers(-9223372036854775807L, 9223372036854775807L, 73786976294838206L), List.of("0", "-7")),
        UNSIGNED(
                "BIGINT UNSIGNED",
                List.of(
                        "0",
                        "1",
                        "9223372036854775807",
                        "9223372036854775808",
                        "18446744073709551614",
                        "18446744073709551615"),
                List.of("9223372036854775808", "-1", "1.5")),
        DECIMAL("DECIMAL(5,2)", decimals(), List.of("0.010625", "-1e6", "99.999", "2000")),
        WHOLE(
                "DECIMAL(20)",
                numbers(-9000000000000000000L, 9000000000000000000L, 73786976294838206L),
                List.of("0.5", "12")),
        FINE(
                "DECIMAL(38,38)",
                List.of(
                        "0",
                        "0.00000000000000000000000000000000000001",
                        "0.99999999999999999999999999999999999999",
                        "-0.5"),
                List.of("0.1", "1")),
        PLAIN("DECIMAL(10,3)", decimals(), List.of("9.5", "100", "-3")) {
            @Override
            String described() {
                return "DECIMAL";
            }
        },
        FLOAT(
                "FLOAT",
                List.of("-3.4e38", "-1.5", "-0.1", "0", "0.1", "0.2", "16777217", "3.4e38"),
                List.of("0.1", "-1e30")),
        DOUBLE(
                "DOUBLE",
                List.of("-1.7e308", "-1.5", "-0.1", "0", "0.1", "0.30000000000000004", "1.7e308"),
                List.of("0.1", "-1e300")),
        CHAR(
                "CHAR(6)",
                List.of("''", "'a'", "'a b'", "'B'", "'b'", "'\u00e9'", "'zz'"),
                List.of("a", "b     ", "\u00e9")),
        VARCHAR(
                "VARCHAR(20)",
                List.of("''", "'a'", "'a '", "'A'", "'Ab'", "'ab'", "'\u00e9'", "'\uff21'", "'\ud83d\ude00'"),
                List.of("a", "B", "\u8bbe")),
        BINARY(
                "BINARY(4)",
                List.of("x''", "x'61'", "x'6100ff'", "x'7f'", "x'80'", "x'ffffffff'"),
                List.of("61", "80ff")),
        VARBINARY(
                "VARBINARY",
                List.of("x''", "x'61'", "x'6100'", "x'7f'", "x'80'", "x'ffffffffff'"),
                List.of("61", "80ff")),
        TIMESTAMP(
                "TIMESTAMP",
                List.of(
                        "'0001-01-01 00:00:00'",
                        "'1969-12-31 23:59:59.999'",
                        "'1970-01-01 00:00:00'",
                        "'2023-03-26 02:30:00.001'",
                        "'9999-12-31 23:59:59.999'"),
                List.of("1969-12-31T23:59:59.9995Z", "2023-01-01T00:00:00+08:00")),
        DATE(
                "DATE",
                List.of("'0001-01-01'", "'0999-12-31'", "'1970-01-01'", "'2024-02-29'", "'9999-12-31'"),
                List.of("1970-01-01", "2023-01-01")),
        TIME(
                "TIME",
                List.of("'00:00:00'", "'00:00:01'", "'12:30:15'", "'23:59:59'"),
                List.of("12:00:00", "12:30:15.5"));

        final String type;
        final List<String> literals;
        final List<String> points;

        Type(String type, List<String> literals, List<String> points) {
            this.type = type;
            this.literals = literals;
            this.points = points;
        }

        String described() {
            return type;
        }

        private static List<String> numbers(long least, long greatest, long step) {
            List<String> numbers = new ArrayList<>();
            for (long n = least; n <= greatest - step && numbers.size() < 250; n += step) {
                numbers.add(Long.toString(n));
            }
            numbers.add(Long.toString(greatest));
            return numbers;
        }

        private static List<String> decimals() {
            List<String> decimals =
                    new ArrayList<>(List.of("-999.99", "999.99", "0", "-0.01", "0.01", "10", "9.99", "100.5"));
            for (int n = 0; n < 120; n++) {
                decimals.add((n * 37 - 2000) / 10 + "." + n % 10 + n * 7 % 10);
            }
            return decimals.stream().distinct().toList();
        }
    }

    @TempDir
    static Path folder;

    private static StandIn lindorm;

    @BeforeAll
    static void start() throws Exception {
        lindorm = new StandIn(folder);
    }

    @AfterAll
    static void stop() throws Exception {
        lindorm.close();
    }

    /** A server that describes the columns of one type in other words. */
    private static final class Describing extends LindormServer {
        private static final long serialVersionUID = 1L;
        private final String type;
        private final String described;

        Describing(String type, String described) {
            this.type = type.replace("(20)", "(20,0)");
            this.described = described;
        }

        @Override
        public TableDescription describe(Connection connection, String table) throws SQLException {
            TableDescription told = super.describe(connection, table);
            Map<String, String> columns = new LinkedHashMap<>(told.columns());
            columns.replaceAll((name, shown) -> shown.equals(type) ? described : shown);
            List<KeyColumn> key = told.key().columns().stream()
                    .map(column -> new KeyColumn(column.name(), columns.get(column.name()), column.descending()))
                    .toList();
            return new TableDescription(columns, new PrimaryKey(key), told.hash());
        }
    }

    @ParameterizedTest
    @EnumSource(Type.class)
    void aKeyOfAnyTypeIsReadWholeWhereverItStandsHoweverItIsCut(Type type) throws Exception {
        for (int place = 0; place < 3; place++) {
            for (boolean descending : new boolean[] {false, true}) {
                String table = type.name().toLowerCase(java.util.Locale.ROOT) + place + descending;
                int rows = create(table, type, place, descending);
                for (List<String> points : List.of(List.<String>of(), type.points)) {
                    if (points.isEmpty() || place == 0) {
                        assertRead(table, type, rows, points);
                    }
                }
            }
        }
    }

    /** Makes a table of three key columns, one of them of the type; returns how many rows it has. */
    private static int create(String table, Type type, int place, boolean descending) throws SQLException {
        List<String> names = new ArrayList<>(List.of("a INTEGER", "b VARCHAR"));
        List<String> key = new ArrayList<>(List.of("a", "b DESC"));
        names.add(place, "k " + type.type);
        key.add(place, "k" + (descending ? " DESC" : ""));
        List<String> rows = new ArrayList<>();
        int each = Math.max(2, 240 / type.literals.size());
        for (String literal : type.literals) {
            for (int n = 0; n < each; n++) {
                List<String> row = new ArrayList<>(List.of(Integer.toString(n % 4), "'b" + n + "'"));
                row.add(place, literal);
                rows.add("(" + String.join(", ", row) + ")");
            }
        }
        lindorm.execute(
                "CREATE TABLE " + table + " (" + String.join(", ", names) + ", PRIMARY KEY (" + String.join(", ", key)
                        + "))",
                "UPSERT INTO " + table + " VALUES " + String.join(", ", rows));
        return rows.size();
    }

    private static void assertRead(String table, Type type, int rows, List<String> points) throws Exception {
        List<String> options = new ArrayList<>(List.of(
                "url",
                lindorm.url(),
                "table-name",
                table,
                "username",
                StandIn.USER,
                "password",
                StandIn.PASSWORD,
                "scan.page-size",
                "9"));
        if (!points.isEmpty()) {
            options.addAll(List.of(
                    "scan.split.points",
                    String.join(
                            ";", points.stream().map(point -> "'" + point + "'").toList())));
        }
        Scan scan = Scans.of(options.toArray(String[]::new));
        Server server = new Describing(type.type, type.described());
        RowType columns = RowType.of(
                new org.apache.flink.table.types.logical.LogicalType[] {LindormType.flinkType(type.described())},
                new String[] {"k"});
        Wanted wanted = new Wanted(columns, false);
        String shown = table + " " + points;
        // Each row with its whole key, whatever the query wants.
        List<GenericRowData> found = Scans.read(server, scan, wanted, SPLITS);
        Set<String> keys = new HashSet<>();
        found.forEach(row -> keys.add(shown(row)));
        assertEquals(rows, found.size(), shown);
        assertEquals(rows, keys.size(), shown);
        cutAgain(server, scan, wanted, rows, shown);
    }

    private static String shown(GenericRowData row) {
        StringBuilder shown = new StringBuilder();
        for (int i = 0; i < row.getArity(); i++) {
            shown.append(
                            row.getField(i) instanceof byte[] bytes
                                    ? java.util.HexFormat.of().formatHex(bytes)
                                    : row.getField(i))
                    .append('|');
        }
        return shown.toString();
    }

    /** Cuts splits as they are cut while they are read, from some place in them on, and counts what all parts have. */
    private static void cutAgain(Server server, Scan scan, Wanted wanted, int rows, String shown) throws Exception {
        int found = 0;
        int parts = 0;
        try (LindormTable table = new LindormTable(server, scan, wanted, false, () -> {})) {
            KeyCuts cuts = new KeyCuts(table, 3);
            for (KeyRangeSplit split : SplitPlanner.plan(server, scan, wanted, 2)) {
                RowLayout layout = new RowLayout(wanted, split.key());
                List<GenericRowData> page = table.page(split, () -> 2, false);
                found += page.size();
                if (page.isEmpty()) {
                    continue;
                }
                KeyRangeSplit rest = split.readTo(layout.keyOf(page.get(page.size() - 1)), 0);
                Key half = cuts.half(rest);
                List<Key> ends = new ArrayList<>(cuts.pieces(half == null ? rest : rest.until(half)));
                if (half != null) {
                    ends.add(half);
                    Key onward = cuts.onward(rest.from(half), rest.lastKey(), half, 2);
                    if (onward != null) {
                        ends.add(onward);
                    }
                }
                ends.add(split.upper());
                for (Key end : ends) {
                    KeyRangeSplit part = end == null ? rest : rest.until(end);
                    found += table.page(part, () -> 2_000, false).size();
                    parts++;
                    rest = end == null ? rest : split.from(end);
                }
            }
        }
        assertEquals(rows, found, shown);
        assertTrue(parts > 1, shown);
    }
}
