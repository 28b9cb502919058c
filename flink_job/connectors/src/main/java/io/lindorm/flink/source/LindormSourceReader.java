package io.lindorm.flink.source;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.base.source.reader.RecordEmitter;
import org.apache.flink.connector.base.source.reader.SingleThreadMultiplexSourceReaderBase;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;

/**
 * Hands on the rows that a {@link PageReader} reads, and keeps for each split the last row handed on:
 * that, and not what was read ahead, is what a checkpoint holds.
 */
final class LindormSourceReader
        extends SingleThreadMultiplexSourceReaderBase<Object, RowData, KeyRangeSplit, LindormSourceReader.Position> {

    /** How far a split has been handed on. */
    static final class Position {
        private final RowLayout layout;
        private KeyRangeSplit split;
        private GenericRowData lastRow;
        private long rowsRead;

        private Position(KeyRangeSplit split, RowLayout layout) {
            this.split = split;
            this.layout = layout;
            this.rowsRead = split.rowsRead();
        }

        private KeyRangeSplit toSplit() {
            return split.readTo(lastRow == null ? split.lastKey() : layout.keyOf(lastRow), rowsRead);
        }
    }

    /** Takes what comes out of a batch, in Flink's thread. */
    private static final class Emitter implements RecordEmitter<Object, RowData, Position> {
        private final SourceReaderContext context;

        /** Splits cut off and not known to be accepted. */
        private final Map<String, KeyRangeSplit> offered = new HashMap<>();

        /** Rows handed on by this reader and by those whose splits it was given. */
        private long rowsRead;

        private Emitter(SourceReaderContext context) {
            this.context = context;
        }

        @Override
        public void emitRecord(Object element, SourceOutput<RowData> output, Position position) {
            if (element instanceof GenericRowData row) {
                position.lastRow = row;
                position.rowsRead++;
                rowsRead++;
                output.collect(position.layout.project(row));
            } else if (element instanceof PageBatch.Change.CutOff cut) {
                position.split = position.split.until(cut.parts().get(0).lower());
                cut.parts().forEach(part -> offered.put(part.splitId(), part));
                context.sendSourceEventToCoordinator(new ScanEvents.Offered(position.split.splitId(), cut.parts()));
            } else if (element instanceof PageBatch.Change.MovedTo move) {
                position.split = position.split.from(move.lower());
                position.lastRow = null;
            } else if (element instanceof PageBatch.Change.Need need) {
                context.sendSourceEventToCoordinator(new ScanEvents.Need(need.rowsPerSecond()));
            } else {
                context.sendSourceEventToCoordinator(new ScanEvents.NotCut(position.split.splitId()));
            }
        }
    }

    private final PageFetcher pages;
    private final Wanted wanted;
    private final ReaderChannel channel;
    private final Emitter emitter;
    private final ScanMetrics metrics;

    /** What a checkpoint gave back, until the enumerator has said how much of it is still this reader's. */
    private final List<KeyRangeSplit> restored = new ArrayList<>();

    private boolean started;
    private RowLayout layout;

    /**
     * Makes a reader, with its metrics.
     *
     * @param tables opens the table, given what is to be told of each failed attempt
     */
    static LindormSourceReader of(
            SourceReaderContext context, Function<Runnable, TableReader> tables, Scan scan, Wanted wanted) {
        ReaderChannel channel = new ReaderChannel(System::nanoTime);
        ScanMetrics metrics = ScanMetrics.in(context.metricGroup());
        PageFetcher pages = new PageFetcher(
                () -> new PageReader(tables, scan, wanted, channel, metrics), context.getConfiguration());
        return new LindormSourceReader(context, pages, wanted, channel, new Emitter(context), metrics);
    }

    private LindormSourceReader(
            SourceReaderContext context,
            PageFetcher pages,
            Wanted wanted,
            ReaderChannel channel,
            Emitter emitter,
            ScanMetrics metrics) {
        super(pages, emitter, context.getConfiguration(), context);
        this.pages = pages;
        this.wanted = wanted;
        this.channel = channel;
        this.emitter = emitter;
        this.metrics = metrics;
        metrics.group().gauge("rowsRead", () -> emitter.rowsRead);
        metrics.group().gauge("splitsOpen", this::getNumberOfCurrentlyAssignedSplits);
        metrics.group()
                .gauge(
                        "pacingLagMillis",
                        () -> getNumberOfCurrentlyAssignedSplits() == 0
                                ? 0L
                                : channel.pacer().lagMillis());
    }

    @Override
    public void addSplits(List<KeyRangeSplit> splits) {
        splits.forEach(split -> emitter.rowsRead += split.rowsRead());
        if (started) {
            super.addSplits(splits);
            return;
        }
        for (KeyRangeSplit split : splits) {
            switch (split.kind()) {
                case OPEN -> restored.add(split);
                case OFFERED -> emitter.offered.put(split.splitId(), split);
                case COUNT -> {
                    // Only its rows count.
                }
            }
        }
    }

    @Override
    public void notifyNoMoreSplits() {
        pages.end();
        super.notifyNoMoreSplits();
    }

    @Override
    public void start() {
        started = true;
        context.sendSourceEventToCoordinator(
                new ScanEvents.Started(List.copyOf(restored), List.copyOf(emitter.offered.values())));
    }

    @Override
    public void handleSourceEvents(SourceEvent event) {
        if (event instanceof ScanEvents.Resume resume) {
            setRate(resume.rowsPerSecond());
            restored.clear();
            emitter.offered.clear();
            super.addSplits(resume.open());
        } else if (event instanceof ScanEvents.Rate rate) {
            setRate(rate.rowsPerSecond());
        } else if (event instanceof ScanEvents.Accepted accepted) {
            emitter.offered.remove(accepted.splitId());
        } else if (event instanceof ScanEvents.Cut cut) {
            channel.askForCut(cut.splitId());
        } else {
            throw new IllegalArgumentException("unknown event: " + event);
        }
    }

    private void setRate(double rowsPerSecond) {
        channel.pacer().setRate(rowsPerSecond);
    }

    @Override
    public List<KeyRangeSplit> snapshotState(long checkpointId) {
        List<KeyRangeSplit> splits = super.snapshotState(checkpointId);
        splits.addAll(restored);
        long ofFinished = emitter.rowsRead;
        for (KeyRangeSplit split : splits) {
            ofFinished -= split.rowsRead();
        }
        splits.addAll(emitter.offered.values());
        if (ofFinished > 0) {
            splits.add(KeyRangeSplit.count(UUID.randomUUID().toString(), ofFinished));
        }
        return splits;
    }

    @Override
    protected void onSplitFinished(Map<String, Position> finished) {
        finished.keySet().forEach(channel::forgetCut);
        metrics.splitsDone().inc(finished.size());
        context.sendSourceEventToCoordinator(new ScanEvents.Finished(List.copyOf(finished.keySet())));
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
