package io.lindorm.flink.source;

import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.connector.source.abilities.SupportsFilterPushDown;
import org.apache.flink.table.connector.source.abilities.SupportsProjectionPushDown;
import org.apache.flink.table.expressions.ResolvedExpression;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The table source behind {@code 'connector' = 'lindorm'}: reads only the columns and the times that a query wants. */
final class LindormTableSource implements ScanTableSource, SupportsProjectionPushDown, SupportsFilterPushDown {

    private Scan scan;
    private DataType wanted;

    LindormTableSource(Scan scan, DataType wanted) {
        this.scan = scan;
        this.wanted = wanted;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        return SourceProvider.of(new LindormSource(new LindormServer(), scan, (RowType) wanted.getLogicalType()));
    }

    @Override
    public boolean supportsNestedProjection() {
        return false;
    }

    @Override
    public void applyProjection(int[][] projectedFields, DataType producedDataType) {
        wanted = producedDataType;
    }

    @Override
    public Result applyFilters(List<ResolvedExpression> filters) {
        List<ResolvedExpression> accepted = new ArrayList<>();
        List<ResolvedExpression> remaining = new ArrayList<>();
        for (ResolvedExpression filter : filters) {
            Optional<Scan> narrowed = TimePredicates.apply(scan, filter);
            narrowed.ifPresent(narrower -> scan = narrower);
            (narrowed.isPresent() ? accepted : remaining).add(filter);
        }
        return Result.of(accepted, remaining);
    }

    @Override
    public DynamicTableSource copy() {
        return new LindormTableSource(scan, wanted);
    }

    @Override
    public String asSummaryString() {
        StringBuilder range = new StringBuilder("Lindorm");
        if (scan.timeColumn() != null) {
            range.append(" ").append(scan.start()).append(" <= ").append(scan.timeColumn()).append(" < ").append(scan.end());
        }
        return range.toString();
    }
}
