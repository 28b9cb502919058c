package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.test.junit5.MiniClusterExtension;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/** All readers have work to the end, over a line on which every query takes 20 ms, on tables that are hard to cut. */
@Timeout(180)
class BalanceTest {

    private static final int READERS = 4;
    private static final int LATENCY_MS = 20;
    private static final RowType ROWS = (RowType) DataTypes.ROW(
                    DataTypes.FIELD("device", DataTypes.STRING()), DataTypes.FIELD("n", DataTypes.BIGINT()))
            .getLogicalType();

    @RegisterExtension
    static final MiniClusterExtension FLINK = new MiniClusterExtension(new MiniClusterResourceConfiguration.Builder()
            .setNumberTaskManagers(1)
            .setNumberSlotsPerTaskManager(READERS)
            .build());

    private static final ConcurrentLinkedQueue<String> HANDED_ON = new ConcurrentLinkedQueue<>();

    private static final class Witness extends RichMapFunction<RowData, String> {
        private static final long serialVersionUID = 1L;

        @Override
        public String map(RowData row) {
            HANDED_ON.add(row.getString(0).toString());
            return row.getString(0).toString();
        }
    }

    /** When a reader asked something, and whether for a page. */
    private record Query(int reader, boolean page, long start) {}

    private static final ConcurrentLinkedQueue<Query> QUERIES = new ConcurrentLinkedQueue<>();

    /** The tables, where the tasks of the cluster, which is in this JVM, find them. */
    private static final Map<String, TreeSet<List<Object>>> TABLES = new ConcurrentHashMap<>();

    private static final List<KeyColumn> KEY =
            List.of(new KeyColumn("device", "VARCHAR", false), new KeyColumn("n", "BIGINT", false));

    /** The source over a table in memory. */
    private record MemorySource(String table, Scan scan, int latencyMs)
            implements Source<RowData, KeyRangeSplit, SplitBacklog> {

        private MemoryTable open(int reader) {
            return new MemoryTable(KEY, TABLES.get(table), true, latencyMs, page -> QUERIES.add(new Query(reader, page, System.nanoTime())));
        }

        @Override
        public Boundedness getBoundedness() {
            return Boundedness.BOUNDED;
        }

        @Override
        public SourceReader<RowData, KeyRangeSplit> createReader(SourceReaderContext context) {
            return LindormSourceReader.of(context, onRetry -> open(context.getIndexOfSubtask()), scan, ROWS);
        }

        @Override
        public SplitEnumerator<KeyRangeSplit, SplitBacklog> createEnumerator(SplitEnumeratorContext<KeyRangeSplit> context) {
            return restoreEnumerator(context, SplitBacklog.NOT_PLANNED);
        }

        @Override
        public SplitEnumerator<KeyRangeSplit, SplitBacklog> restoreEnumerator(
                SplitEnumeratorContext<KeyRangeSplit> context, SplitBacklog backlog) {
            int splits = scan.splits() > 0 ? scan.splits() : LindormEnumerator.SPLITS_PER_READER * context.currentParallelism();
            return new LindormEnumerator(
                    context,
                    () -> SplitPlanner.cut(open(-1), KeyRangeSplit.of("", KEY, TABLES.get(table).first().subList(0, 1), null), scan, splits),
                    new RateLimit(0, null),
                    System::nanoTime,
                    backlog);
        }

        @Override
        public SimpleVersionedSerializer<KeyRangeSplit> getSplitSerializer() {
            return new KeyRangeSplitSerializer();
        }

        @Override
        public SimpleVersionedSerializer<SplitBacklog> getEnumeratorCheckpointSerializer() {
            return new SplitBacklog.Serializer();
        }
    }

    /** Makes a table of (device, n) whose rows' devices are given. */
    private static void load(String name, List<String> devices) {
        TreeSet<List<Object>> table = new TreeSet<>((a, b) -> KeyRangeSplit.compare(KEY, a, b));
        for (String device : devices) {
            table.add(List.of(device, 1_672_531_200_000L + 1_000L * table.size()));
        }
        TABLES.put(name, table);
    }

    private static List<String> run(String table, int readers, int latencyMs, String... options) throws Exception {
        HANDED_ON.clear();
        QUERIES.clear();
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(readers);
        env.enableCheckpointing(1_000);
        env.fromSource(
                        new MemorySource(table, Scans.of(options), latencyMs),
                        WatermarkStrategy.noWatermarks(),
                        "lindorm",
                        InternalTypeInfo.of(ROWS))
                .map(new Witness())
                .returns(Types.STRING)
                .sinkTo(new DiscardingSink<>());
        env.execute();
        return List.copyOf(HANDED_ON);
    }

    private static void assertBalanced(String table, int rows) throws Exception {
        assertEquals(rows, run(table, READERS, LATENCY_MS, "scan.page-size", "50").size());
        // Every query takes as long as any other, so a reader's time is their number.
        long[] times = new long[READERS];
        long lookups = 0;
        long first = Long.MAX_VALUE;
        long last = 0;
        for (Query query : QUERIES) {
            if (query.reader() >= 0) {
                times[query.reader()]++;
                lookups += query.page() ? 0 : 1;
                first = Math.min(first, query.start());
                last = Math.max(last, query.start());
            }
        }
        double mean = Arrays.stream(times).average().orElseThrow();
        double slowest = Arrays.stream(times).max().orElseThrow() / mean;
        double wall = (last - first) / 1e6 / (mean * LATENCY_MS);
        System.out.printf(
                "%s: slowest reader %.3f of the mean, wall %.3f of the mean; queries %s, %d of them for cuts%n",
                table, slowest, wall, Arrays.toString(times), lookups);
        assertTrue(slowest <= 1.25, Arrays.toString(times));
        assertTrue(wall <= 1.25, wall + " times the mean");
    }

    @Test
    void oneFirstKeyForAllRows() throws Exception {
        load("one first key", Collections.nCopies(60_000, "the only one"));
        assertBalanced("one first key", 60_000);
    }

    @Test
    void zipfDistributedFirstKeys() throws Exception {
        // The device of rank r has a share of about 1/r; ranks are spread over the names.
        Random random = new Random(1);
        List<String> devices = new ArrayList<>();
        for (int i = 0; i < 60_000; i++) {
            int rank = (int) Math.exp(random.nextDouble() * Math.log(1_000));
            devices.add(String.format("dev-%04d", rank * 7919 % 1000));
        }
        load("Zipf", devices);
        assertBalanced("Zipf", 60_000);
    }

    @Test
    void neighboursAreSpreadOverTheWrites() throws Exception {
        List<String> devices = new ArrayList<>();
        for (int i = 0; i < 60_000; i++) {
            devices.add(String.format("dev-%03d", i / 400));
        }
        load("neighbours", devices);
        double before = distinct(run("neighbours", 1, 0, "scan.page-size", "1000", "scan.split.number", "1"));
        double after = distinct(run("neighbours", 1, 0, "scan.page-size", "1000"));
        System.out.printf("partition keys in 1,000 consecutive writes: %.1f in key order, %.1f in turn%n", before, after);
        assertTrue(after >= 3 * before, before + " before, " + after + " after");
    }

    /** The mean number of different devices in a thousand consecutive rows. */
    private static double distinct(List<String> rows) {
        double sum = 0;
        for (int i = 0; i + 1_000 <= rows.size(); i += 1_000) {
            sum += new HashSet<>(rows.subList(i, i + 1_000)).size();
        }
        return sum / (rows.size() / 1_000);
    }
}
