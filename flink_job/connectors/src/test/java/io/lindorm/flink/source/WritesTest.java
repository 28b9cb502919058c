package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.dynamodb.FakeDynamoDb;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Both connectors in one job: what order the source gives to the writes that arrive at DynamoDB. */
@Timeout(180)
class WritesTest {

    private static final int ROWS = 60_000;

    @RegisterExtension
    static final MiniClusterExtension FLINK = new MiniClusterExtension(new MiniClusterResourceConfiguration.Builder()
            .setNumberTaskManagers(1)
            .setNumberSlotsPerTaskManager(2)
            .build());

    @TempDir
    static Path folder;

    @Test
    void neighboursInLindormAreSpreadOverPartitionsWhereTheyAreWritten() throws Exception {
        try (StandIn lindorm = new StandIn(Files.createDirectory(folder.resolve("lindorm")))) {
            // The reference shape: a thousand rows of a device are neighbours.
            lindorm.post("/load", "{\"rows\": " + ROWS + "}");
            List<String> keys = write(lindorm, "in-turn", "'scan.split.number' = '8'");
            List<String> ofKeyOrder = write(lindorm, "key-order", "'scan.split.number' = '1'");
            // What would arrive if rows were read, and written, as they lie.
            List<String> asTheyLie = keys.stream().sorted().toList();
            System.out.printf(
                    "different partition keys in 1,000 consecutive writes (and in 25): %.1f (%.1f) as rows lie, %.1f (%.1f) if read in key"
                            + " order, %.1f (%.1f) if read in turn%n",
                    distinct(asTheyLie, 1_000),
                    distinct(asTheyLie, 25),
                    distinct(ofKeyOrder, 1_000),
                    distinct(ofKeyOrder, 25),
                    distinct(keys, 1_000),
                    distinct(keys, 25));
            assertTrue(
                    distinct(keys, 1_000) >= 4 * distinct(asTheyLie, 1_000), "1,000 writes: " + distinct(keys, 1_000));
            assertTrue(distinct(keys, 25) >= 4 * distinct(asTheyLie, 25), "25 writes: " + distinct(keys, 25));
        }
    }

    /** Copies the table with one reader and one writer; returns the partition keys in the order in which they arrived. */
    private static List<String> write(StandIn lindorm, String name, String options) throws Exception {
        List<String> arrived = Collections.synchronizedList(new ArrayList<>());
        try (FakeDynamoDb dynamoDb = new FakeDynamoDb()) {
            dynamoDb.refuse(item -> {
                arrived.add(item.get("p").get("S").asText());
                return false;
            });
            TableEnvironment env = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
            env.getConfig().set("parallelism.default", "1");
            env.getConfig().set("execution.checkpointing.interval", "200 ms");
            env.getConfig().set("restart-strategy.type", "none");
            env.executeSql(
                    "CREATE TABLE t (device STRING, ts TIMESTAMP_LTZ(3)) WITH ('connector' = 'lindorm', 'url' = '"
                            + lindorm.url()
                            + "', 'username' = '" + StandIn.USER + "', 'password' = '" + StandIn.PASSWORD
                            + "', 'table-name' = 'readings', 'scan.page-size' = '1000', " + options + ")");
            env.executeSql(
                    "CREATE TABLE items (device STRING, ts TIMESTAMP_LTZ(3)) WITH ('connector' = 'lindorm-items', 'aws.endpoint' = '"
                            + dynamoDb.url() + "', 'job-config' = '" + config(folder.resolve(name)) + "')");
            env.executeSql("INSERT INTO items SELECT device, ts FROM t").await();
        }
        assertEquals(ROWS, arrived.size());
        return arrived;
    }

    private static String config(Path out) {
        return """
                {"version": 1, "import": {"namespace": "default", "name": "readings", "uid": "u", "runId": "r1"},
                 "source": {"url": "jdbc:mysql://unused:1/default", "table": "readings",
                   "columns": [{"name": "device", "type": "VARCHAR"}, {"name": "ts", "type": "TIMESTAMP"}],
                   "primaryKey": [{"name": "device", "order": "ASC"}, {"name": "ts", "order": "ASC"}],
                   "timeRange": null, "filter": null, "pageSize": 1000, "maxRowsPerSecond": null, "splitPoints": []},
                 "target": {"region": "us-west-2", "table": "t",
                   "key": {"partition": {"name": "p", "type": "S", "template": "{device}"},
                           "sort": {"name": "s", "type": "N", "template": "{ts}"}},
                   "attributes": [{"column": "device", "name": "p", "as": "String"}, {"column": "ts", "name": "s", "as": "EpochMillis"}],
                   "partitionShards": null, "nulls": "Omit"},
                 "rejects": {"path": "%s/rejects/", "max": 0}, "result": {"path": "%s/result/result.json"}}
                """.formatted(out.toUri(), out.toUri());
    }

    private static double distinct(List<String> keys, int together) {
        double sum = 0;
        for (int i = 0; i + together <= keys.size(); i += together) {
            sum += new HashSet<>(keys.subList(i, i + together)).size();
        }
        return sum / (keys.size() / together);
    }
}
