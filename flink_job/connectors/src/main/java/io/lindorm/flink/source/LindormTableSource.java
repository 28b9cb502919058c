package io.lindorm.flink.source;

import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.connector.source.abilities.SupportsFilterPushDown;
import org.apache.flink.table.connector.source.abilities.SupportsProjectionPushDown;
import org.apache.flink.table.connector.source.abilities.SupportsReadingMetadata;
import org.apache.flink.table.expressions.ResolvedExpression;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/** The table source behind {@code 'connector' = 'lindorm'}: reads only the columns and the times that a query wants. */
final class LindormTableSource
        implements ScanTableSource, SupportsProjectionPushDown, SupportsFilterPushDown, SupportsReadingMetadata {

    /** The metadata column that tells of values that cannot be read ({@link Wanted#unreadable}). */
    static final String UNREADABLE = "unreadable";

    private final ZoneId sessionZone;
    private Scan scan;
    private DataType columns;
    private boolean unreadable;

    LindormTableSource(Scan scan, DataType columns, ZoneId sessionZone) {
        this.sessionZone = sessionZone;
        this.scan = scan;
        this.columns = columns;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        Wanted wanted = new Wanted((RowType) columns.getLogicalType(), unreadable);
        return SourceProvider.of(new LindormSource(new LindormServer(), scan, wanted));
    }

    @Override
    public boolean supportsNestedProjection() {
        return false;
    }

    @Override
    public void applyProjection(int[][] projectedFields, DataType producedDataType) {
        columns = producedDataType;
    }

    @Override
    public Map<String, DataType> listReadableMetadata() {
        return Map.of(UNREADABLE, DataTypes.STRING().nullable());
    }

    @Override
    public void applyReadableMetadata(List<String> metadataKeys, DataType producedDataType) {
        unreadable = !metadataKeys.isEmpty();
    }

    @Override
    public Result applyFilters(List<ResolvedExpression> filters) {
        List<ResolvedExpression> accepted = new ArrayList<>();
        List<ResolvedExpression> remaining = new ArrayList<>();
        for (ResolvedExpression filter : filters) {
            Optional<Scan> narrowed = TimePredicates.apply(scan, filter, sessionZone);
            narrowed.ifPresent(narrower -> scan = narrower);
            (narrowed.isPresent() ? accepted : remaining).add(filter);
        }
        return Result.of(accepted, remaining);
    }

    @Override
    public DynamicTableSource copy() {
        LindormTableSource copy = new LindormTableSource(scan, columns, sessionZone);
        copy.unreadable = unreadable;
        return copy;
    }

    @Override
    public String asSummaryString() {
        StringBuilder range = new StringBuilder("Lindorm");
        if (scan.timeColumn() != null) {
            range.append(" ")
                    .append(scan.start())
                    .append(" <= ")
                    .append(scan.timeColumn())
                    .append(" < ")
                    .append(scan.end());
        }
        return range.toString();
    }
}
