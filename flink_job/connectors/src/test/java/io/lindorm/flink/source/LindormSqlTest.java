package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import io.lindorm.flink.dynamodb.FakeDynamoDb;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TimeZone;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
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

/** The connector as a user of Flink SQL meets it, against a strict server. */
@Timeout(120)
class LindormSqlTest {

    private static final int ROWS = 6_000;

    @RegisterExtension
    static final MiniClusterExtension FLINK = new MiniClusterExtension(new MiniClusterResourceConfiguration.Builder()
            .setNumberTaskManagers(1)
            .setNumberSlotsPerTaskManager(3)
            .build());

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
            rows.append(i == 0 ? "" : ", ")
                    .append("(")
                    .append(i)
                    .append(", '2023-01-01 00:00:00.00")
                    .append(i)
                    .append("', ")
                    .append(1_672_531_200L + i)
                    .append(")");
        }
        lindorm.execute(
                "CREATE TABLE times (k INTEGER, at TIMESTAMP, epoch BIGINT, PRIMARY KEY (k))",
                "UPSERT INTO times VALUES " + rows,
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
            with.append(i == 0 ? "" : ", ")
                    .append("'")
                    .append(all.get(i))
                    .append("' = '")
                    .append(all.get(i + 1).replace("'", "''"))
                    .append("'");
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
        TableEnvironment env = tables(true, READINGS, "table-name", "readings", "scan.page-size", "300");
        String sql =
                "SELECT val FROM t WHERE ts >= TIMESTAMP '2023-01-10 09:00:00' AND ts < TIMESTAMP '2023-01-12 09:00:00' AND metric = 'temp'";
        String plan = env.explainSql(sql);
        String scan = plan.substring(plan.lastIndexOf("TableSourceScan"));
        assertTrue(scan.contains("filter=[AND(>=(ts, ") && scan.contains("project=[metric, val]"), plan);
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
                true,
                "k INT, `at` TIMESTAMP_LTZ(3)",
                "scan.query",
                "SELECT k, at FROM times WHERE at >= '2023-01-01 00:00:00.003' AND at < '2023-01-01 00:00:00.006' AND k <> 4");
        assertEquals(
                List.of("3 2023-01-01T00:00:00.003Z", "5 2023-01-01T00:00:00.005Z"),
                rows(env, "SELECT k, `at` FROM t").stream()
                        .map(row -> row.getField(0) + " " + row.getField(1))
                        .sorted()
                        .toList());
    }

    @Test
    void aRangeIsHalfOpenAndMillisecondsCount() throws Exception {
        TableEnvironment env = tables(
                true,
                "k INT, `at` TIMESTAMP_LTZ(3)",
                "table-name",
                "times",
                "scan.timestamp.column",
                "at",
                "scan.timestamp.start",
                "2023-01-01T08:00:00.002+08:00",
                "scan.timestamp.end",
                "2023-01-01T00:00:00.005Z");
        assertEquals(
                List.of(2, 3, 4),
                rows(env, "SELECT k FROM t").stream()
                        .map(row -> (Integer) row.getField(0))
                        .sorted()
                        .toList());
    }

    @Test
    void anEpochColumnIsCountedInItsUnitAlsoInAWhere() throws Exception {
        TableEnvironment env = tables(
                true,
                "k INT, epoch BIGINT",
                "table-name",
                "times",
                "scan.timestamp.column",
                "epoch",
                "scan.timestamp.unit",
                "Seconds",
                "scan.timestamp.start",
                "2023-01-01T00:00:02Z",
                "scan.timestamp.end",
                "2023-01-01T00:00:08Z");
        String sql = "SELECT k FROM t WHERE epoch <= 1672531204";
        assertTrue(env.explainSql(sql).contains("filter=[<=(epoch, 1672531204"), env.explainSql(sql));
        assertEquals(
                List.of(2, 3, 4),
                rows(env, sql).stream()
                        .map(row -> (Integer) row.getField(0))
                        .sorted()
                        .toList());
    }

    @Test
    void whatMayPassIsTriedAgain() throws Exception {
        lindorm.post("/settings", "{\"timeout_next\": 3, \"resource_limit_next\": 2, \"drop_next\": 3}");
        TableEnvironment env = tables(true, READINGS, "table-name", "readings", "scan.page-size", "500");
        assertEquals(
                ROWS, rows(env, "SELECT device, ts FROM t").stream().distinct().count());
        assertEquals(
                0, lindorm.get("/state").get("settings").get("timeout_next").asInt());
        assertEquals(0, lindorm.get("/state").get("settings").get("drop_next").asInt());
    }

    private static String fails(String... options) {
        TableEnvironment env = tables(true, "a STRING, b INT", options);
        Exception error = assertThrows(Exception.class, () -> rows(env, "SELECT * FROM t"));
        return ExceptionUtils.findThrowable(error, UserError.class)
                .orElseThrow(() -> new AssertionError(error))
                .getMessage();
    }

    @Test
    void aRatesFileThatCannotBeUnderstoodEndsTheJobAtOnce(@TempDir Path files) throws Exception {
        lindorm.execute("CREATE TABLE rated (a VARCHAR, b INTEGER, PRIMARY KEY (a))");
        Path rates = Files.writeString(files.resolve("rates.json"), "{\"version\": 1, \"rowsPerSecond\": \"many\"}");
        String said = fails("table-name", "rated", "scan.rates.path", rates.toString());
        assertTrue(said.contains("rowsPerSecond must be a positive number or null; it is \"many\""), said);
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
        String said = ExceptionUtils.findThrowable(error, UserError.class)
                .orElseThrow()
                .getMessage();
        assertTrue(said.contains("Access denied for 'reader' (error 1045)"), said);
        assertTrue(!ExceptionUtils.stringifyException(error).contains("not-this"));
    }

    @Test
    void aHashedKeyIsNamedAsWhatCannotBeScanned() {
        String said = fails("table-name", "hashed");
        assertTrue(said.contains("begins with hash32(a)"), said);
    }

    /** Every SQL block of the README, run as it stands but for the server's address and the file of the password. */
    @Test
    void theReadmesStatementsWork(@TempDir Path files) throws Exception {
        Path password = Files.writeString(files.resolve("password"), StandIn.PASSWORD + "\n");
        TableEnvironment env = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        String readme = Files.readString(Path.of("README.md"));
        Matcher blocks = Pattern.compile("```sql\n(.*?)```", Pattern.DOTALL).matcher(readme);
        int queries = 0;
        while (blocks.find()) {
            String block = blocks.group(1)
                    .replaceAll("'url' = '[^']*'", "'url' = '" + lindorm.url() + "'")
                    .replace("/etc/lindorm/password", password.toString());
            for (String statement : block.split(";\\s*(\n|$)")) {
                if (statement.startsWith("SELECT")) {
                    assertTrue(!rows(env, statement).isEmpty(), statement);
                    queries++;
                } else {
                    env.executeSql(statement);
                }
            }
        }
        assertTrue(queries > 0 && env.listTables().length >= 2, "the README has lost its examples");
        assertTrue(!rows(env, "SELECT * FROM temperatures").isEmpty());
    }

    @Test
    void theReadmesTableHasEveryOptionAndNoOther() throws Exception {
        Set<String> documented = new TreeSet<>();
        for (String line : Files.readAllLines(Path.of("README.md"))) {
            if (line.startsWith("| `") && line.split("\\|").length == 4) {
                Matcher names = Pattern.compile("`([a-z.-]+)`").matcher(line.split("\\|")[1]);
                while (names.find()) {
                    documented.add(names.group(1));
                }
            }
        }
        LindormTableFactory factory = new LindormTableFactory();
        Set<String> options = new TreeSet<>();
        factory.requiredOptions().forEach(option -> options.add(option.key()));
        factory.optionalOptions().forEach(option -> options.add(option.key()));
        assertEquals(options, documented);
    }

    @Test
    void allOptionsThatGoTogetherDo(@TempDir Path files) throws Exception {
        Path rates = Files.writeString(files.resolve("rates.json"), "{\"version\": 1, \"rowsPerSecond\": 100000}");
        TableEnvironment env = tables(
                true,
                READINGS,
                "table-name",
                "readings",
                "scan.timestamp.column",
                "ts",
                "scan.timestamp.start",
                "2023-01-01T00:00:00Z",
                "scan.timestamp.end",
                "2023-02-01T00:00:00Z",
                "scan.filter",
                "metric <> 'temp'",
                "scan.page-size",
                "500",
                "scan.split.points",
                "device-000001;device-000003",
                "scan.split.number",
                "3",
                "scan.rows-per-second",
                "50000",
                "scan.rates.path",
                rates.toString(),
                "scan.timeout",
                "30 s",
                "scan.retries",
                "2",
                "tls.mode",
                "PREFERRED");
        int found = rows(env, "SELECT device FROM t").size();
        TableEnvironment plain = tables(true, READINGS, "table-name", "readings");
        assertEquals(
                rows(
                                plain,
                                "SELECT device FROM t WHERE metric <> 'temp' AND ts >= TIMESTAMP '2023-01-01 09:00:00' AND ts < TIMESTAMP '2023-02-01 09:00:00'")
                        .size(),
                found);
        assertTrue(found > 0);
        String served = lindorm.get("/served").toString();
        assertTrue(served.contains("_l_operation_timeout_(30000)"), "the server keeps the time limit");
    }

    @ParameterizedTest
    @ValueSource(strings = {"cut", "refuse"})
    void readsOverLindormsLimitLoseNoRowWhetherCutShortOrRefused(String overLimit) throws Exception {
        int rows = 2_400;
        lindorm.execute("DROP TABLE IF EXISTS wide", "CREATE TABLE wide (k INTEGER, v VARCHAR, PRIMARY KEY (k))");
        for (int first = 0; first < rows; first += 100) {
            lindorm.execute("UPSERT INTO wide VALUES "
                    + IntStream.range(first, first + 100)
                            .mapToObj(k -> "(" + k + ", '" + "x".repeat(10_000) + "')")
                            .collect(Collectors.joining(", ")));
        }
        lindorm.post(
                "/settings", "{\"over_limit\": \"" + overLimit + "\"}"); // 2,000 of these rows have more than 16 MB
        TableEnvironment env = tables(true, "k INT, v STRING", "table-name", "wide", "scan.split.number", "1");
        List<Row> read = rows(env, "SELECT k FROM t WHERE CHAR_LENGTH(v) = 10000");
        assertEquals(rows, read.size());
        assertEquals(rows, read.stream().distinct().count());
    }

    @Test
    void afterTheLastRetryTheTaskFailsAndSaysWhy() throws Exception {
        lindorm.post("/settings", "{\"resource_limit_next\": 1000}");
        TableEnvironment env = tables(true, READINGS, "table-name", "readings", "scan.retries", "1");
        Exception error = assertThrows(Exception.class, () -> rows(env, "SELECT device FROM t"));
        assertTrue(
                ExceptionUtils.stringifyException(error).contains("failed 2 times; the last error: "),
                ExceptionUtils.stringifyException(error));
    }

    @Test
    void namesThatAreReservedWordsAndTextThatIsNoUtf8AndTheEndsOfTimeAreRead() throws Exception {
        lindorm.execute(
                "CREATE TABLE `order` (`select` VARCHAR, `timestamp` TIMESTAMP, `size` DOUBLE, `group` VARCHAR, PRIMARY KEY (`select`, `timestamp`))",
                "UPSERT INTO `order` VALUES ('a', '0001-01-01 00:00:00', 1.7976931348623157e308, 'x')",
                "UPSERT INTO `order` VALUES ('b', '9999-12-31 23:59:59.999', NULL, NULL)",
                "UPSERT INTO `order` VALUES ('', '2023-01-01 00:00:00', -0.0, '')");
        TableEnvironment env = tables(
                true,
                "`select` STRING, `timestamp` TIMESTAMP_LTZ(3), `size` DOUBLE, `group` STRING",
                "table-name",
                "order");
        List<String> found = rows(env, "SELECT `select`, `timestamp`, `size`, `group` FROM t").stream()
                .map(Row::toString)
                .sorted()
                .toList();
        assertEquals(3, found.size());
        assertTrue(found.toString().contains("0001-01-01T00:00:00Z, 1.7976931348623157E308, x"), found.toString());
        assertTrue(found.toString().contains("9999-12-31T23:59:59.999Z, null, null"), found.toString());
    }

    @Test
    void aRowThatCannotBeReadWholeIsToldInItsMetadataColumnWhereThereIsOne() throws Exception {
        lindorm.execute(
                "CREATE TABLE broken (k INTEGER, v INTEGER, w VARCHAR, PRIMARY KEY (k))",
                "UPSERT INTO broken VALUES (1, 1, 'a'), (2, 300, 'b'), (3, 3, 'c')");
        TableEnvironment env = tables(
                true, "w STRING, v TINYINT, told STRING METADATA FROM 'unreadable' VIRTUAL", "table-name", "broken");
        List<String> found = rows(env, "SELECT told, v, w FROM t").stream()
                .map(Row::toString)
                .sorted()
                .toList();
        assertEquals(
                List.of(
                        "+I[NumberOutOfRange: column v is '300', which cannot be read as TINYINT, null, b]",
                        "+I[null, 1, a]",
                        "+I[null, 3, c]"),
                found);
        assertEquals(3, rows(env, "SELECT w FROM t").size(), "who does not ask for the column reads the rest");
        TableEnvironment untold = tables(true, "v TINYINT", "table-name", "broken");
        Exception error = assertThrows(Exception.class, () -> rows(untold, "SELECT v FROM t"));
        String said = ExceptionUtils.findThrowable(error, UserError.class)
                .orElseThrow()
                .getMessage();
        assertTrue(said.contains("'300' in the column `v`"), said);
    }

    @Test
    void whatCannotBeReadOrIsNoNumberIsRejectedRowByRowByTheItemsSink(@TempDir Path out) throws Exception {
        lindorm.execute(
                "CREATE TABLE mixed (d DOUBLE, n INTEGER, v INTEGER, f DOUBLE, PRIMARY KEY (d, n))",
                "UPSERT INTO mixed VALUES (1.5, 1, 1, 1), (1.5, 2, 300, 2), (1e308, 3, 3, 3)");
        // No literal says infinity: it takes the binary protocol.
        try (java.sql.Connection connection = java.sql.DriverManager.getConnection(
                        lindorm.url().replace("lindorm:", "mysql:") + "?useServerPrepStmts=true&allowNanAndInf=true",
                        StandIn.USER,
                        StandIn.PASSWORD);
                java.sql.PreparedStatement statement =
                        connection.prepareStatement("UPSERT INTO mixed VALUES (?, ?, 4, ?)")) {
            for (double number : new double[] {Double.POSITIVE_INFINITY, Double.NaN, Double.NEGATIVE_INFINITY, 0}) {
                statement.setDouble(1, number);
                statement.setInt(2, 4);
                statement.setDouble(3, number == 0 ? Double.POSITIVE_INFINITY : 1);
                statement.execute();
            }
        }
        String config = """
                {"version": 1, "import": {"namespace": "default", "name": "mixed", "uid": "u", "runId": "r1"},
                 "source": {"url": "jdbc:mysql://unused:1/default", "table": "mixed",
                   "columns": [{"name": "d", "type": "DOUBLE"}, {"name": "n", "type": "INT"}, {"name": "v", "type": "TINYINT"}, {"name": "f", "type": "DOUBLE"}],
                   "primaryKey": [{"name": "d", "order": "ASC"}, {"name": "n", "order": "ASC"}],
                   "timeRange": null, "filter": null, "pageSize": 1000, "maxRowsPerSecond": null, "splitPoints": []},
                 "target": {"region": "us-west-2", "table": "t",
                   "key": {"partition": {"name": "p", "type": "S", "template": "n{n}"}, "sort": {"name": "s", "type": "N", "template": "{d}"}},
                   "attributes": [{"column": "d", "name": "s", "as": "Number"},
                                  {"column": "v", "name": "v", "as": "Number"}, {"column": "f", "name": "f", "as": "Number"}],
                   "partitionShards": null, "nulls": "Omit"},
                 "rejects": {"path": "%s/rejects/", "max": 10}, "result": {"path": "%s/result/result.json"}}
                """.formatted(out.toUri(), out.toUri());
        String columns = "d DOUBLE, n INT, v TINYINT, f DOUBLE, told STRING METADATA FROM 'unreadable'";
        TableEnvironment env = tables(true, columns, "table-name", "mixed", "scan.page-size", "2");
        env.getConfig().set("execution.checkpointing.interval", "200 ms");
        try (FakeDynamoDb dynamoDb = new FakeDynamoDb()) {
            env.executeSql(
                    "CREATE TABLE items (" + columns + ") WITH ('connector' = 'lindorm-items', 'aws.endpoint' = '"
                            + dynamoDb.url() + "', 'job-config' = '" + config + "')");
            env.executeSql("INSERT INTO items SELECT d, n, v, f, told FROM t").await();
            assertEquals(1, dynamoDb.items().size());
        }
        JsonNode result =
                new ObjectMapper().readTree(out.resolve("result/result.json").toFile());
        assertEquals(7, result.get("rowsRead").asInt());
        assertEquals(1, result.get("itemsWritten").asInt());
        assertEquals(
                "{\"NumberOutOfRange\":2,\"NotANumber\":4}",
                result.get("rejectedByReason").toString());
    }
}
