package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;

import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.ExceptionUtils;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TimeZone;

/** The connector as a user of Flink SQL meets it, against a strict server. */
@Timeout(120)
class LindormSqlTest {

    private static final int ROWS = 6_000;

    @RegisterExtension
    static final MiniClusterExtension FLINK = new MiniClusterExtension(
            new MiniClusterResourceConfiguration.Builder().setNumberTaskManagers(1).setNumberSlotsPerTaskManager(3).build());

    @TempDir
    static Path folder;

    private static StandIn lindorm;
    private static TimeZone zone;

    @BeforeAll
    static void start() throws Exception {
        zone = TimeZone.getDefault();
        TimeZone.setDefault(TimeZone.getTimeZone("America/New_York"));
        lindorm = new StandIn(folder);
        lindorm.post("/load", "{\"rows\": " + ROWS + "}");
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 10; i++) {
            rows.append(i == 0 ? "" : ", ").append("(").append(i).append(", '2023-01-01 00:00:00.00").append(i).append("', ")
                    .append(1_672_531_200L + i).append(")");
        }
        lindorm.execute(
                "CREATE TABLE times (k INTEGER, at TIMESTAMP, epoch BIGINT, PRIMARY KEY (k))", "UPSERT INTO times VALUES " + rows,
                "CREATE TABLE hashed (a VARCHAR, b INTEGER, PRIMARY KEY (hash32(a), a, b))");
    }

    @AfterAll
    static void stop() throws Exception {
        TimeZone.setDefault(zone);
        lindorm.close();
    }

    @BeforeEach
    void fresh() throws Exception {
        lindorm.post("/reset", "{}");
    }

    private static TableEnvironment tables(boolean streaming, String columns, String... options) {
        TableEnvironment env = TableEnvironment.create(
                streaming ? EnvironmentSettings.inStreamingMode() : EnvironmentSettings.inBatchMode());
        env.getConfig().set("table.local-time-zone", "Asia/Tokyo");
        env.getConfig().set("restart-strategy.type", "none");
        StringBuilder with = new StringBuilder();
        List<String> all = new ArrayList<>(List.of(
                "connector", "lindorm", "url", lindorm.url(), "username", StandIn.USER, "password", StandIn.PASSWORD));
        all.addAll(List.of(options));
        for (int i = 0; i < all.size(); i += 2) {
            with.append(i == 0 ? "" : ", ").append("'").append(all.get(i)).append("' = '").append(all.get(i + 1).replace("'", "''")).append("'");
        }
        env.executeSql("CREATE TABLE t (" + columns + ") WITH (" + with + ")");
        return env;
    }

    private static List<Row> rows(TableEnvironment env, String sql) throws Exception {
        List<Row> rows = new ArrayList<>();
        try (CloseableIterator<Row> found = env.executeSql(sql).collect()) {
            found.forEachRemaining(rows::add);
        }
        return rows;
    }

    private static final String READINGS = "device STRING, ts TIMESTAMP_LTZ(3), metric STRING, val DOUBLE";

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aTableIsReadInStreamingAndInBatchMode(boolean streaming) throws Exception {
        TableEnvironment env = tables(streaming, READINGS, "table-name", "readings", "scan.page-size", "300");
        assertEquals(ROWS, rows(env, "SELECT device, ts FROM t").size());
    }

    @Test
    void columnsAndTimesArePushedDownAndExplainSaysSo() throws Exception {
        TableEnvironment env = tables(
                true, READINGS, "table-name", "readings", "scan.page-size", "300", "scan.timestamp.column", "ts",
                "scan.timestamp.end", "2023-01-12T00:00:00Z");
        String sql = "SELECT val FROM t WHERE ts >= TIMESTAMP '2023-01-10 09:00:00' AND metric = 'temp'";
        String plan = env.explainSql(sql);
        String scan = plan.substring(plan.lastIndexOf("TableSourceScan"));
        assertTrue(scan.contains("filter=[>=(ts, ") && scan.contains("project=["), plan);
        assertTrue(plan.contains("where=[=(metric, ") || plan.contains("where=[(metric = "), plan);
        int found = rows(env, sql).size();
        assertTrue(found > 10 && found < ROWS / 5, found + " rows");
        String query = lindorm.get("/served").toString();
        assertTrue(query.contains("`val`") && !query.contains("SELECT *"), query);
        // 9 o'clock in Tokyo is midnight in UTC, whatever the zones of server (+08:00) and JVM (New York).
        assertTrue(query.contains("2023, 1, 10, 0") || query.contains("2023,1,10,0"), query.substring(0, 3_000));
        assertTrue(query.contains("`ts` >= ?") && query.contains("`ts` < ?"));
    }

    @Test
    void aQueryIsTakenOver() throws Exception {
        TableEnvironment env = tables(
                true, "k INT, `at` TIMESTAMP_LTZ(3)",
                "scan.query", "SELECT k, at FROM times WHERE at >= '2023-01-01 00:00:00.003' AND at < '2023-01-01 00:00:00.006' AND k <> 4");
        assertEquals(
                List.of("3 2023-01-01T00:00:00.003Z", "5 2023-01-01T00:00:00.005Z"),
                rows(env, "SELECT k, `at` FROM t").stream().map(row -> row.getField(0) + " " + row.getField(1)).sorted().toList());
    }

    @Test
    void aRangeIsHalfOpenAndMillisecondsCount() throws Exception {
        TableEnvironment env = tables(
                true, "k INT, `at` TIMESTAMP_LTZ(3)", "table-name", "times", "scan.timestamp.column", "at",
                "scan.timestamp.start", "2023-01-01T08:00:00.002+08:00", "scan.timestamp.end", "2023-01-01T00:00:00.005Z");
        assertEquals(List.of(2, 3, 4), rows(env, "SELECT k FROM t").stream().map(row -> (Integer) row.getField(0)).sorted().toList());
    }

    @Test
    void anEpochColumnIsCountedInItsUnitAlsoInAWhere() throws Exception {
        TableEnvironment env = tables(
                true, "k INT, epoch BIGINT", "table-name", "times", "scan.timestamp.column", "epoch", "scan.timestamp.unit", "Seconds",
                "scan.timestamp.start", "2023-01-01T00:00:02Z", "scan.timestamp.end", "2023-01-01T00:00:08Z");
        String sql = "SELECT k FROM t WHERE epoch <= 1672531204";
        assertTrue(env.explainSql(sql).contains("filter=[<=(epoch, 1672531204"), env.explainSql(sql));
        assertEquals(List.of(2, 3, 4), rows(env, sql).stream().map(row -> (Integer) row.getField(0)).sorted().toList());
    }

    @Test
    void whatMayPassIsTriedAgain() throws Exception {
        lindorm.post("/settings", "{\"timeout_next\": 3, \"resource_limit_next\": 2, \"drop_next\": 3}");
        TableEnvironment env = tables(true, READINGS, "table-name", "readings", "scan.page-size", "500");
        assertEquals(ROWS, rows(env, "SELECT device, ts FROM t").stream().distinct().count());
        assertEquals(0, lindorm.get("/state").get("settings").get("timeout_next").asInt());
        assertEquals(0, lindorm.get("/state").get("settings").get("drop_next").asInt());
    }

    @Test
    void aSparseMatchIsReadInStepsThatKeepToTheTimeLimit() throws Exception {
        // 6,000 rows at 10,000 a second take longer than a statement may; ten of them match.
        lindorm.post("/settings", "{\"scan_rows_per_second\": 10000, \"statement_timeout_ms\": 150}");
        TableEnvironment env = tables(
                true, READINGS, "table-name", "readings", "scan.page-size", "200", "scan.split.number", "1", "scan.timestamp.column", "ts",
                "scan.timestamp.start", "2023-01-10T00:00:00Z", "scan.timestamp.end", "2023-01-10T02:00:00Z");
        int found = rows(env, "SELECT device, ts FROM t").size();
        lindorm.post("/reset", "{}");
        TableEnvironment plain = tables(true, READINGS, "table-name", "readings");
        int expected = rows(plain, "SELECT device FROM t WHERE ts >= TIMESTAMP '2023-01-10 09:00:00' AND ts < TIMESTAMP '2023-01-10 11:00:00'").size();
        assertEquals(expected, found);
        assertTrue(found > 0 && found < ROWS / 100, found + " rows");
    }

    private static String fails(String... options) {
        TableEnvironment env = tables(true, "a STRING, b INT", options);
        Exception error = assertThrows(Exception.class, () -> rows(env, "SELECT * FROM t"));
        return ExceptionUtils.findThrowable(error, UserError.class).orElseThrow(() -> new AssertionError(error)).getMessage();
    }

    @Test
    void whatCannotPassEndsTheJobAtOnceInLindormsWords() throws Exception {
        assertTrue(fails("table-name", "nowhere").contains("Table 'default.nowhere' doesn't exist (error 1146)"));
        assertTrue(fails("table-name", "times").contains("table `times` has no column `a`; it has k, at, epoch"));
        assertEquals(0, lindorm.get("/state").get("counters").get("reads").asInt());
    }

    @Test
    void aWrongPasswordEndsTheJobAtOnceAndIsNotShown() {
        TableEnvironment env = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        env.executeSql("CREATE TABLE t (k INT) WITH ('connector' = 'lindorm', 'url' = '" + lindorm.url()
                + "', 'table-name' = 'times', 'username' = 'reader', 'password' = 'not-this')");
        Exception error = assertThrows(Exception.class, () -> rows(env, "SELECT * FROM t"));
        String said = ExceptionUtils.findThrowable(error, UserError.class).orElseThrow().getMessage();
        assertTrue(said.contains("Access denied for 'reader' (error 1045)"), said);
        assertTrue(!ExceptionUtils.stringifyException(error).contains("not-this"));
    }

    @Test
    void aHashedKeyIsNamedAsWhatCannotBeScanned() {
        String said = fails("table-name", "hashed");
        assertTrue(said.contains("begins with hash32(a)"), said);
    }
}
