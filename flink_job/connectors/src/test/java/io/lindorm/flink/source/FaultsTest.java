package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What a running scan lives through without the help of Flink: no task may fail here, and rows are exact. */
@Timeout(180)
class FaultsTest {

    private static final int ROWS = 40_000;
    private static final int MANY_ROWS = 1_000_000;

    @RegisterExtension
    static final MiniClusterExtension FLINK = new MiniClusterExtension(new MiniClusterResourceConfiguration.Builder()
            .setNumberTaskManagers(1)
            .setNumberSlotsPerTaskManager(3)
            .build());

    @TempDir
    static Path folder;

    private static StandIn lindorm;

    @BeforeAll
    static void start() throws Exception {
        lindorm = new StandIn(folder);
        lindorm.post("/load", "{\"rows\": " + ROWS + "}");
    }

    @AfterAll
    static void stop() throws Exception {
        lindorm.close();
    }

    @BeforeEach
    void slowEnoughToMeetWhatHappens() throws Exception {
        lindorm.post("/reset", "{}");
        lindorm.post("/settings", "{\"page_latency_ms\": 50}");
    }

    private static TableEnvironment table(String name, String... options) {
        TableEnvironment env = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        env.getConfig().set("restart-strategy.type", "none");
        List<String> all = new ArrayList<>(List.of(
                "connector",
                "lindorm",
                "url",
                lindorm.url(),
                "username",
                StandIn.USER,
                "password",
                StandIn.PASSWORD,
                "table-name",
                name));
        all.addAll(List.of(options));
        List<String> with = new ArrayList<>();
        for (int i = 0; i < all.size(); i += 2) {
            with.add("'" + all.get(i) + "' = '" + all.get(i + 1).replace("'", "''") + "'");
        }
        env.executeSql("CREATE TABLE t (device STRING, ts TIMESTAMP_LTZ(3), metric STRING, val DOUBLE) WITH ("
                + String.join(", ", with) + ")");
        return env;
    }

    private static List<String> rows(TableEnvironment env) throws Exception {
        List<String> rows = new ArrayList<>();
        try (CloseableIterator<Row> found =
                env.executeSql("SELECT device, ts FROM t").collect()) {
            found.forEachRemaining(row -> rows.add(row.toString()));
        }
        return rows;
    }

    /** Reads the table, has something happen in the middle of it, and checks that every row came once. */
    private static void assertExactThrough(Happening happening) throws Exception {
        CompletableFuture<List<String>> read = CompletableFuture.supplyAsync(() -> {
            try {
                return rows(table("readings", "scan.page-size", "200"));
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        await(() -> counter("rows") > ROWS / 10);
        assertFalse(read.isDone(), "all was read before anything could happen");
        happening.happen();
        List<String> rows = read.get(120, TimeUnit.SECONDS);
        assertEquals(ROWS, rows.size());
        assertEquals(ROWS, new HashSet<>(rows).size());
    }

    private interface Happening {
        void happen() throws Exception;
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void await(Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!condition.holds()) {
            assertTrue(System.nanoTime() < deadline, "it does not come to pass");
            Thread.sleep(20);
        }
    }

    private static int counter(String name) throws Exception {
        return lindorm.get("/state").get("counters").get(name).asInt();
    }

    @Test
    void tooManyConnectionsAreWaitedFor() throws Exception {
        assertExactThrough(() -> {
            // Whoever loses its connection cannot have another for a while: 1040.
            lindorm.post("/settings", "{\"refuse_connections\": true}");
            assertTrue(lindorm.post("/drop", "{}").get("dropped").asInt() > 0);
            await(() -> counter("errors") >= 6);
            lindorm.post("/settings", "{\"refuse_connections\": false}");
        });
    }

    @Test
    void resourceLimitsAreWaitedFor() throws Exception {
        assertExactThrough(() -> {
            lindorm.post("/settings", "{\"resource_limit_next\": 12}");
            await(() -> lindorm.get("/state")
                            .get("settings")
                            .get("resource_limit_next")
                            .asInt()
                    == 0);
        });
    }

    @Test
    void closedConnectionsAreReplaced() throws Exception {
        assertExactThrough(() -> {
            for (int times = 0; times < 3; times++) {
                int before = counter("connections");
                assertTrue(lindorm.post("/drop", "{}").get("dropped").asInt() > 0);
                await(() -> counter("connections") > before);
            }
            lindorm.post("/settings", "{\"drop_next\": 3}");
            await(() -> lindorm.get("/state").get("settings").get("drop_next").asInt() == 0);
        });
    }

    @Test
    void aServerThatRestartsIsWaitedFor() throws Exception {
        assertExactThrough(() -> {
            lindorm.restart();
            assertTrue(counter("reads") < 20, "the counters of the new process begin anew");
        });
        assertTrue(counter("connections") > 0);
    }

    @Test
    void tenRowsOfAMillionAreFoundInStepsThatKeepToTheTimeLimit() throws Exception {
        if (counter("writes") == 0) {
            lindorm.post("/load", "{\"table\": \"sparse\", \"rows\": " + MANY_ROWS + "}");
        }
        for (int i = 0; i < 10; i++) {
            String device = String.format("device-%06d-plant-rare", i * 97);
            lindorm.execute("UPSERT INTO sparse (device, ts, metric, val) VALUES ('" + device + "', '2023-01-0"
                    + (i + 1 < 10 ? i + 1 : 9) + " 00:00:00', 'rare', 1)");
        }
        // A statement may pass over 60,000 rows; the whole table takes seventeen times as long, if in one piece.
        lindorm.post(
                "/settings",
                "{\"page_latency_ms\": 0, \"scan_rows_per_second\": 400000, \"statement_timeout_ms\": 150}");
        SQLException whole = assertThrows(
                SQLException.class,
                () -> lindorm.execute(
                        "SELECT device FROM sparse WHERE device >= 'd' AND metric = 'rare' ORDER BY device, ts LIMIT 2000"));
        assertEquals(3024, whole.getErrorCode());
        lindorm.post("/reset", "{}");
        lindorm.post("/settings", "{\"scan_rows_per_second\": 400000, \"statement_timeout_ms\": 150}");

        List<String> found = rows(table("sparse", "scan.filter", "metric = 'rare'", "scan.split.number", "3"));

        assertEquals(10, found.size());
        assertEquals(10, new HashSet<>(found).size());
        assertTrue(found.stream().allMatch(row -> row.contains("plant-rare")), found.toString());
        int timeouts = counter("errors");
        long pages = 0;
        for (JsonNode read : lindorm.get("/served")) {
            pages += read.get("sql").asText().contains("metric = 'rare'") ? 1 : 0;
        }
        System.out.printf("10 rows of a million: %d reads timed out, %d reads of pages answered%n", timeouts, pages);
        assertTrue(timeouts >= 3, timeouts + " timeouts: each split is too long to be read in one piece");
        assertTrue(pages >= MANY_ROWS / 60_000, pages + " reads cannot have been of narrowed ranges");
    }
}
