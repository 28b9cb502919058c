package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The source in a running Flink, with failures of connections and of tasks. */
@Timeout(120)
class LindormSourceTest {

    private static final String DATABASE = "source";
    private static final int DEVICES = 40;
    private static final int ROWS_EACH = 250;
    private static final RowType ROWS = (RowType)
            DataTypes.ROW(DataTypes.FIELD("seq", DataTypes.INT()), DataTypes.FIELD("device", DataTypes.STRING()))
                    .getLogicalType();

    @RegisterExtension
    static final MiniClusterExtension FLINK = new MiniClusterExtension(new MiniClusterResourceConfiguration.Builder()
            .setNumberTaskManagers(1)
            .setNumberSlotsPerTaskManager(3)
            .build());

    @BeforeAll
    static void load() throws Exception {
        Map<String, String> columns = new LinkedHashMap<>();
        columns.put("device", "VARCHAR");
        columns.put("ts", "TIMESTAMP DESC");
        columns.put("seq", "INT");
        H2Server.create(DATABASE, "t", columns, 2);
        try (Connection connection = H2Server.open(DATABASE);
                PreparedStatement insert = connection.prepareStatement("INSERT INTO `t` VALUES (?, ?, ?)")) {
            int seq = 0;
            for (int device = 0; device < DEVICES; device++) {
                for (int i = 0; i < ROWS_EACH; i++) {
                    insert.setString(1, "dev-" + device);
                    insert.setObject(
                            2, java.time.LocalDateTime.of(2023, 1, 1, 0, 0).plusSeconds(i));
                    insert.setInt(3, seq++);
                    insert.addBatch();
                }
            }
            insert.executeBatch();
        }
    }

    /** Keeps every row in its state, so that in the end a lost row is missing and a repeated one is double. */
    private static final class Witness extends RichMapFunction<RowData, Integer> implements CheckpointedFunction {

        private static final long serialVersionUID = 1L;
        private static List<Integer> last = List.of();
        private static int failures;

        private final int failAfterRows;
        private final int failTimes;
        private transient List<Integer> seen;
        private transient ListState<Integer> state;
        private transient int rows;
        private transient boolean snapshotted;

        Witness(int failAfterRows, int failTimes) {
            this.failAfterRows = failAfterRows;
            this.failTimes = failTimes;
        }

        @Override
        public Integer map(RowData row) throws Exception {
            rows++;
            if (failures < failTimes && rows > failAfterRows && snapshotted) {
                failures++;
                throw new IllegalStateException("as the test wants it");
            }
            if (rows % 50 == 0) {
                Thread.sleep(5);
            }
            assertTrue(row.getArity() == 2 && row.getString(1).toString().startsWith("dev-"));
            seen.add(row.getInt(0));
            return row.getInt(0);
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            state.update(seen);
            snapshotted = true;
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            state = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("seen", Types.INT));
            seen = new ArrayList<>();
            state.get().forEach(seen::add);
        }

        @Override
        public void close() {
            last = seen;
        }
    }

    private static List<Integer> run(Scan scan, double connectionFailures, int failAfterRows, int failTimes)
            throws Exception {
        Configuration configuration = new Configuration();
        configuration.setString("restart-strategy.type", "fixed-delay");
        configuration.setString("restart-strategy.fixed-delay.attempts", "20");
        configuration.setString("restart-strategy.fixed-delay.delay", "50 ms");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.enableCheckpointing(100);
        Witness.failures = 0;
        env.fromSource(
                        new LindormSource(new H2Server(DATABASE, connectionFailures), scan, new Wanted(ROWS, false)),
                        WatermarkStrategy.noWatermarks(),
                        "lindorm",
                        InternalTypeInfo.of(ROWS))
                .map(new Witness(failAfterRows, failTimes))
                .returns(Types.INT)
                .setParallelism(1)
                .sinkTo(new DiscardingSink<>());
        env.execute();
        assertEquals(failTimes, Witness.failures);
        return Witness.last;
    }

    private static void assertWhole(List<Integer> seen) {
        assertEquals(DEVICES * ROWS_EACH, seen.size());
        assertEquals(DEVICES * ROWS_EACH, new TreeSet<>(seen).size());
    }

    @Test
    void readsEverythingOnceInSplitsOfItsOwn() throws Exception {
        assertWhole(run(Scans.of("scan.page-size", "100"), 0, 0, 0));
    }

    @Test
    void losesAndRepeatsNothingOverFailures() throws Exception {
        assertWhole(run(Scans.of("scan.page-size", "37"), 0.05, 700, 3));
    }

    @Test
    void readsEverythingOnceInGivenSplits() throws Exception {
        assertWhole(run(
                Scans.of("scan.page-size", "97", "scan.split.points", "zzz;dev-3;a;dev-25;dev-1;dev-3"), 0, 500, 1));
    }

    @Test
    void keepsToTheTimeRangeAndItsBounds() throws Exception {
        List<Integer> seen = run(
                Scans.of(
                        "scan.timestamp.column", "ts",
                        "scan.timestamp.start", "2023-01-01T00:00:10.000Z",
                        "scan.timestamp.end", "2023-01-01T08:00:20.000+08:00"),
                0,
                0,
                0);
        assertEquals(DEVICES * 10, seen.size());
        assertTrue(seen.stream().allMatch(seq -> seq % ROWS_EACH >= 10 && seq % ROWS_EACH < 20));
    }

    @Test
    void keepsToTheFilterAndTheRate() throws Exception {
        long start = System.nanoTime();
        assertEquals(
                300,
                run(
                                Scans.of(
                                        "scan.filter",
                                        "seq < 300",
                                        "scan.rows-per-second",
                                        "600",
                                        "scan.page-size",
                                        "20"),
                                0,
                                0,
                                0)
                        .size());
        assertTrue(System.nanoTime() - start > 300_000_000L);
    }

    @Test
    void anUnknownTableEndsTheJobAtOnceWithTheServersWords() {
        Exception error = assertThrows(Exception.class, () -> run(Scans.of("table-name", "nowhere"), 0, 0, 0));
        UserError said = ExceptionUtils.findThrowable(error, UserError.class).orElseThrow();
        assertTrue(said.getMessage().contains("Table 'nowhere' doesn't exist"), said.getMessage());
    }

    @Test
    void anUnknownTimeColumnIsNamed() {
        Exception error = assertThrows(
                Exception.class,
                () -> run(
                        Scans.of("scan.timestamp.column", "when", "scan.timestamp.start", "2023-01-01T00:00:00Z"),
                        0,
                        0,
                        0));
        UserError said = ExceptionUtils.findThrowable(error, UserError.class).orElseThrow();
        assertTrue(said.getMessage().contains("has no column `when`; it has device, ts, seq"), said.getMessage());
    }
}
