package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import io.lindorm.flink.files.ItemLines;
import java.util.Comparator;
import java.util.List;
import java.util.stream.StreamSupport;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.Test;

class ItemsTopologyTest {

    /** What the rows go through before they are items must not be a task of its own: they would be serialized. */
    @Test
    void sourceAndItemsAreOneTaskAndTheOutcomeIsOneMore() {
        RowType rowType = (RowType)
                DataTypes.ROW(DataTypes.FIELD("k", DataTypes.STRING())).getLogicalType();
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(3);
        JobConfig config = Configs.config()
                .primaryKey("k")
                .attribute("k", "k", "String")
                .partition("k", "S", "{k}")
                .build();
        new ItemsTableSink(config, rowType, null, null)
                .consume(env.fromSource(new NumberSequenceSource(1, 10), WatermarkStrategy.noWatermarks(), "numbers")
                        .map(n -> (RowData) GenericRowData.of(StringData.fromString(n.toString())))
                        .returns(InternalTypeInfo.of(rowType)));
        List<JobVertex> vertices = StreamSupport.stream(
                        env.getStreamGraph().getJobGraph().getVertices().spliterator(), false)
                .sorted(Comparator.comparing(JobVertex::getName))
                .toList();
        assertEquals(2, vertices.size(), vertices.toString());
        assertEquals("Source: numbers -> Map -> items", vertices.get(0).getName());
        assertEquals(3, vertices.get(0).getParallelism());
        assertEquals("outcome -> end: Writer", vertices.get(1).getName());
        assertEquals(1, vertices.get(1).getParallelism());
    }

    /** Each writer gets lines of all readers, or a file would hold a few ranges of the key one after the other. */
    @Test
    void linesGoFromAllReadersToAllWritersOfFilesInTurn() {
        RowType rowType = (RowType)
                DataTypes.ROW(DataTypes.FIELD("k", DataTypes.STRING())).getLogicalType();
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(3);
        JobConfig config = Configs.config()
                .primaryKey("k")
                .attribute("k", "k", "String")
                .partition("k", "S", "{k}")
                .files(50_000)
                .build();
        new ItemsTableSink(config, rowType, null, null)
                .consume(env.fromSource(new NumberSequenceSource(1, 10), WatermarkStrategy.noWatermarks(), "numbers")
                        .map(n -> (RowData) GenericRowData.of(StringData.fromString(n.toString())))
                        .returns(InternalTypeInfo.of(rowType)));
        List<JobVertex> vertices = StreamSupport.stream(
                        env.getStreamGraph().getJobGraph().getVertices().spliterator(), false)
                .sorted(Comparator.comparing(JobVertex::getName))
                .toList();
        assertEquals(
                List.of("Source: numbers -> Map -> items", "files", "outcome -> end: Writer"),
                vertices.stream().map(JobVertex::getName).toList());
        assertEquals(
                List.of(3, 3, 1),
                vertices.stream().map(JobVertex::getParallelism).toList());
        assertEquals(
                List.of("REBALANCE"),
                vertices.get(1).getInputs().stream()
                        .map(edge -> edge.getShipStrategyName())
                        .toList());
    }

    /** Else Flink would take Kryo, which EMR's Java may refuse. */
    @Test
    void whatTravelsDoesSoInFlinksOwnForm() {
        assertTrue(TypeInformation.of(Outcome.class) instanceof PojoTypeInfo);
        assertTrue(TypeInformation.of(ItemLines.class) instanceof PojoTypeInfo);
    }

    @Test
    void bothConnectorsAreFoundAndReadOnlyTheColumnsThatAreWanted() {
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        tables.executeSql(
                "CREATE TABLE src (device STRING, ts TIMESTAMP_LTZ(3), metric STRING, val DOUBLE) WITH ("
                        + "'connector' = 'lindorm', 'url' = 'jdbc:lindorm://h:33060/d', 'table-name' = 't', 'username' = 'u',"
                        + " 'password' = 'hush', 'scan.timestamp.column' = 'ts', 'scan.timestamp.start' = '2023-01-01T00:00:00Z')");
        String plan = tables.explainSql("SELECT val, device FROM src");
        assertTrue(plan.contains("fields=[val, device]"), plan);
        assertTrue(!plan.contains("hush"), plan);
        String config = Configs.config()
                .primaryKey("device", "ts")
                .attribute("device", "device", "String")
                .attribute("ts", "ts", "EpochMillis")
                .partition("device", "S", "{device}")
                .sort("ts", "N", "{ts}")
                .json();
        tables.executeSql(
                "CREATE TABLE items (device STRING, ts TIMESTAMP_LTZ(3)) WITH ('connector' = 'lindorm-items', 'job-config' = '"
                        + config + "')");
        tables.getConfig().set("execution.checkpointing.interval", "1 s");
        assertTrue(tables.explainSql("INSERT INTO items SELECT device, ts FROM src")
                .contains("items"));
        tables.executeSql("CREATE TABLE wrong (device STRING) WITH ('connector' = 'lindorm-items', 'job-config' = '"
                + config + "')");
        Exception error = assertThrows(
                ValidationException.class, () -> tables.explainSql("INSERT INTO wrong SELECT device FROM src"));
        assertTrue(ExceptionUtils.findThrowable(error, UserError.class).isPresent(), error.toString());
    }
}
