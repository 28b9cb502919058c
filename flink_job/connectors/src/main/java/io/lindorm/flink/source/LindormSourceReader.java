package io.lindorm.flink.source;

import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.base.source.reader.SingleThreadMultiplexSourceReaderBase;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Hands on the rows that a {@link PageReader} reads, and keeps for each split the last row handed on:
 * that, and not what was read ahead, is what a checkpoint holds.
 */
final class LindormSourceReader
        extends SingleThreadMultiplexSourceReaderBase<
                GenericRowData, RowData, KeyRangeSplit, LindormSourceReader.Position> {

    /** How far a split has been handed on. */
    static final class Position {
        private final KeyRangeSplit split;
        private final RowLayout layout;
        private GenericRowData lastRow;
        private long rowsRead;

        private Position(KeyRangeSplit split, RowLayout layout) {
            this.split = split;
            this.layout = layout;
            this.rowsRead = split.rowsRead();
        }

        private RowData handOn(GenericRowData row) {
            lastRow = row;
            rowsRead++;
            return layout.project(row);
        }

        private KeyRangeSplit toSplit() {
            return lastRow == null ? split : split.readTo(layout.keyOf(lastRow), rowsRead);
        }
    }

    private final RowType wanted;
    private final List<String> restored = new ArrayList<>();
    private boolean started;
    private RowLayout layout;

    /** Makes a reader, with the counters {@code pages} and {@code retries} among the source's metrics. */
    static LindormSourceReader of(SourceReaderContext context, Server server, Scan scan, RowType wanted) {
        Counter pages = context.metricGroup().counter("pages");
        Counter retries = context.metricGroup().counter("retries");
        double rowsPerSecond = (double) scan.rowsPerSecond() / context.currentParallelism();
        // Flink drops a page reader that has nothing to do, and asks for a new one later.
        return new LindormSourceReader(
                context, () -> new PageReader(server, scan, wanted, rowsPerSecond, pages, retries), wanted);
    }

    private LindormSourceReader(
            SourceReaderContext context,
            Supplier<SplitReader<GenericRowData, KeyRangeSplit>> pageReaders,
            RowType wanted) {
        super(
                pageReaders,
                (row, output, position) -> output.collect(position.handOn(row)),
                context.getConfiguration(),
                context);
        this.wanted = wanted;
    }

    @Override
    public void addSplits(List<KeyRangeSplit> splits) {
        if (!started) {
            splits.forEach(split -> restored.add(split.splitId()));
        }
        super.addSplits(splits);
    }

    @Override
    public void start() {
        started = true;
        context.sendSourceEventToCoordinator(new SplitEvent(true, List.copyOf(restored)));
    }

    @Override
    protected void onSplitFinished(Map<String, Position> finished) {
        context.sendSourceEventToCoordinator(new SplitEvent(false, List.copyOf(finished.keySet())));
    }

    @Override
    protected Position initializedState(KeyRangeSplit split) {
        if (layout == null) {
            layout = new RowLayout(wanted, split.key());
        }
        return new Position(split, layout);
    }

    @Override
    protected KeyRangeSplit toSplitType(String splitId, Position position) {
        return position.toSplit();
    }
}
