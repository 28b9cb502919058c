package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Values that a driver or DynamoDB has trouble with: one of them costs its row at most, never the scan. */
@Timeout(120)
class ValuesTest {

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

    private static Scan scan(String table, String... options) {
        List<String> all = new ArrayList<>(List.of(
                "url",
                lindorm.url(),
                "table-name",
                table,
                "username",
                StandIn.USER,
                "password",
                StandIn.PASSWORD,
                "scan.page-size",
                "3"));
        all.addAll(Arrays.asList(options));
        return Scans.of(all.toArray(String[]::new));
    }

    private static List<GenericRowData> read(String table, boolean tells, DataTypes.Field... columns) throws Exception {
        return Scans.read(
                new LindormServer(),
                scan(table),
                new Wanted((RowType) DataTypes.ROW(columns).getLogicalType(), tells),
                4);
    }

    /** Upserts rows with the binary protocol, which carries what no literal says. */
    private static void upsert(String table, Object[]... rows) throws Exception {
        String url = lindorm.url().replace("lindorm:", "mysql:") + "?useServerPrepStmts=true&allowNanAndInf=true";
        try (Connection connection = DriverManager.getConnection(url, StandIn.USER, StandIn.PASSWORD)) {
            for (Object[] row : rows) {
                String marks = String.join(", ", java.util.Collections.nCopies(row.length, "?"));
                try (PreparedStatement statement =
                        connection.prepareStatement("UPSERT INTO " + table + " VALUES (" + marks + ")")) {
                    for (int i = 0; i < row.length; i++) {
                        statement.setObject(i + 1, row[i]);
                    }
                    statement.execute();
                }
            }
        }
    }

    @Test
    void infiniteNumbersAndNaNAreReadAsTheyAre() throws Exception {
        lindorm.execute("CREATE TABLE numbers (k INTEGER, d DOUBLE, f FLOAT, PRIMARY KEY (k))");
        upsert(
                "numbers",
                new Object[] {1, Double.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY},
                new Object[] {2, Double.NaN, Float.NaN},
                new Object[] {3, Double.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY},
                new Object[] {4, Double.MAX_VALUE, Float.MAX_VALUE},
                new Object[] {5, null, null});
        List<GenericRowData> rows = read(
                "numbers", true, DataTypes.FIELD("d", DataTypes.DOUBLE()), DataTypes.FIELD("f", DataTypes.FLOAT()));
        assertEquals(
                "[+I(Infinity,-Infinity,null,1), +I(NaN,NaN,null,2), +I(-Infinity,Infinity,null,3), +I(1.7976931348623157E308,3.4028235E38,null,4), +I(null,null,null,5)]",
                rows.toString());
    }

    @ParameterizedTest
    @CsvSource({"DOUBLE, ''", "DOUBLE, DESC", "FLOAT, ''", "FLOAT, DESC"})
    void inAKeyTheyAreReadTooAndNoRowAfterThemIsLost(String type, String direction) throws Exception {
        String table = "keys_" + type + direction.trim();
        lindorm.execute("CREATE TABLE " + table + " (d " + type + ", n INTEGER, PRIMARY KEY (d " + direction + ", n))");
        double[] numbers = {Double.NEGATIVE_INFINITY, -1.5, -0.0, 2.5, 1e30, Double.POSITIVE_INFINITY, Double.NaN};
        for (double number : numbers) {
            for (int n = 0; n < 8; n++) {
                upsert(table, new Object[] {type.equals("FLOAT") ? (Object) (float) number : (Object) number, n});
            }
        }
        for (String points : new String[] {null, "-1;0;7"}) {
            Scan scan = scan(table, "scan.split.points", points);
            List<GenericRowData> rows = Scans.read(new LindormServer(), scan, new Wanted(RowType.of(), false), 6);
            assertEquals(numbers.length * 8, rows.size());
            assertEquals(numbers.length * 8, new HashSet<>(rows).size());
        }
    }

    @Test
    void aKeyThatIsNoUtf8IsReadAndNoRowAfterItIsLost() throws Exception {
        lindorm.execute("CREATE TABLE texts (k VARCHAR, n INTEGER, PRIMARY KEY (k, n))");
        for (String hex : List.of("61", "636166c3a9", "636166e9", "6361ff", "80", "ffff")) {
            for (int n = 0; n < 8; n++) {
                upsert("texts", new Object[] {java.util.HexFormat.of().parseHex(hex), n});
            }
        }
        List<GenericRowData> rows = read("texts", true, DataTypes.FIELD("k", DataTypes.STRING()));
        Set<String> keys = new HashSet<>();
        rows.forEach(row -> keys.add(
                new String(((StringData) row.getField(0)).toBytes(), StandardCharsets.ISO_8859_1) + row.getField(2)));
        assertEquals(48, rows.size());
        assertEquals(48, keys.size());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "TINYINT | INTEGER | 300 | NumberOutOfRange: column v is '300', which cannot be read as TINYINT",
                "SMALLINT | BIGINT | 4294967297 | NumberOutOfRange: column v is '4294967297', which cannot be read as SMALLINT",
                "INT | BIGINT | -2147483649 | NumberOutOfRange: column v is '-2147483649', which cannot be read as INT",
                "BIGINT | BIGINT UNSIGNED | 18446744073709551615 | NumberOutOfRange: column v is '18446744073709551615', which cannot be read as BIGINT",
                "FLOAT | DOUBLE | 1e39 | NumberOutOfRange: column v is '1.0E39', which cannot be read as FLOAT",
                "DECIMAL | DECIMAL(10,3) | 1234567.891 | NumberOutOfRange: column v is '1234567.891', which cannot be read as DECIMAL(5, 2)",
                "DATE | VARCHAR | '0000-00-00' | TimeOutOfRange: column v is '0000-00-00', which cannot be read as DATE",
                "TIMESTAMP | VARCHAR | '0000-00-00 00:00:00' | TimeOutOfRange: column v is '0000-00-00 00:00:00', which cannot be read as TIMESTAMP(3)",
                "TIME | VARCHAR | '838:59:59' | TimeOutOfRange: column v is '838:59:59', which cannot be read as TIME(3)",
            })
    void aValueThatTheDriverCannotReadIsToldWithItsRowAndTheRestIsRead(
            String declared, String type, String literal, String told) throws Exception {
        String table = "one_" + declared;
        String other = declared.startsWith("DATE") || declared.startsWith("TIME") ? "NULL" : "7";
        lindorm.execute(
                "CREATE TABLE " + table + " (k INTEGER, v " + type + ", PRIMARY KEY (k))",
                "UPSERT INTO " + table + " VALUES (1, " + other + "), (2, " + literal + "), (3, " + literal + "), (4, "
                        + other + ")");
        DataType flink = switch (declared) {
            case "TINYINT" -> DataTypes.TINYINT();
            case "SMALLINT" -> DataTypes.SMALLINT();
            case "INT" -> DataTypes.INT();
            case "BIGINT" -> DataTypes.BIGINT();
            case "FLOAT" -> DataTypes.FLOAT();
            case "DECIMAL" -> DataTypes.DECIMAL(5, 2);
            case "DATE" -> DataTypes.DATE();
            case "TIME" -> DataTypes.TIME(3);
            default -> DataTypes.TIMESTAMP(3);
        };
        List<GenericRowData> rows = read(table, true, DataTypes.FIELD("v", flink));
        assertEquals(4, rows.size());
        assertTrue(rows.get(0).isNullAt(1) && rows.get(3).isNullAt(1), rows.toString());
        assertEquals(told, rows.get(1).getField(1).toString());
        assertEquals(told, rows.get(2).getField(1).toString());
        // Without anybody to tell, it ends the scan.
        UserError said = assertThrows(UserError.class, () -> read(table, false, DataTypes.FIELD("v", flink)));
        assertTrue(said.getMessage().contains("in the column `v`, which cannot be read as"), said.getMessage());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aKeyThatTheDriverCannotReadIsNamed(boolean tells) throws Exception {
        String table = "days" + tells;
        lindorm.execute(
                "CREATE TABLE " + table + " (k VARCHAR, PRIMARY KEY (k))",
                "UPSERT INTO " + table + " VALUES ('0000-00-00')");
        Server server = new LindormServer() {
            private static final long serialVersionUID = 1L;

            @Override
            public TableDescription describe(Connection connection, String described) {
                return new TableDescription(
                        java.util.Map.of("k", "DATE"), PrimaryKey.of(new KeyColumn("k", "DATE", false)), null);
            }
        };
        UserError said = assertThrows(
                UserError.class, () -> Scans.read(server, scan(table), new Wanted(RowType.of(), tells), 1));
        assertTrue(said.getMessage().contains("'0000-00-00' in the key column `k`"), said.getMessage());
    }
}
