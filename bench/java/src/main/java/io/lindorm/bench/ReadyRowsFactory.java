package io.lindorm.bench;

import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceFunctionProvider;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * {@code 'connector' = 'ready-rows'}: rows of the reference shape that were made before the first is handed
 * on, the same ones over and over, so that what a pipeline costs is what its sink costs.
 */
public final class ReadyRowsFactory implements DynamicTableSourceFactory {

    private static final ConfigOption<Long> ROWS =
            ConfigOptions.key("rows").longType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return "ready-rows";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(ROWS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        return new ReadyRows(helper.getOptions().get(ROWS));
    }

    private record ReadyRows(long rows) implements ScanTableSource {

        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            return SourceFunctionProvider.of(new Rows(rows), true);
        }

        @Override
        public DynamicTableSource copy() {
            return this;
        }

        @Override
        public String asSummaryString() {
            return "ready rows";
        }
    }

    private static final class Rows implements SourceFunction<RowData> {

        private static final long serialVersionUID = 1L;

        /** More than any sink holds at a time, so that no two in a batch have the same key. */
        private static final int DISTINCT = 50_000;

        private static final long FIRST = 1_672_531_200_000L;

        private final long rows;
        private volatile boolean cancelled;

        Rows(long rows) {
            this.rows = rows;
        }

        @Override
        public void run(SourceContext<RowData> context) {
            RowData[] ready = new RowData[DISTINCT];
            for (int i = 0; i < DISTINCT; i++) {
                ready[i] = GenericRowData.of(
                        StringData.fromString(String.format("dev-%07d", i / 1000)),
                        TimestampData.fromEpochMillis(FIRST + i % 1000 * 1000L),
                        StringData.fromString("temperature"),
                        i * 7919 % 100_000 / 100.0,
                        StringData.fromString("ok-" + i % 10));
            }
            for (long i = 0; i < rows && !cancelled; i++) {
                synchronized (context.getCheckpointLock()) {
                    context.collect(ready[(int) (i % DISTINCT)]);
                }
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
        }
    }
}
