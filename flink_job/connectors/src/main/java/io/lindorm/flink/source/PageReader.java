package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsAddition;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsChange;
import org.apache.flink.table.data.GenericRowData;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads its splits in rounds, one page of each, ahead of the rows being handed on.
 *
 * <p>A split ends with a page that has no row. A page that is merely shorter than asked for says nothing:
 * Lindorm ends a read at 16 MB too, and its documents leave open whether it then cuts or refuses.
 *
 * <p>Where a condition lets few rows through, a page's read may pass over more rows than the server can in its time
 * limit. Then the split is read in steps: only to a key in its middle, to half of that if need be, and on from there.
 */
final class PageReader implements SplitReader<Object, KeyRangeSplit> {

    private static final Logger LOG = LoggerFactory.getLogger(PageReader.class);

    /** A batch takes no further page when it has about so many bytes: some batches lie in memory at a time. */
    private static final long BATCH_BYTES = 8 << 20;

    /** A split, and how far it is read in one step. */
    private static final class Reading {
        private KeyRangeSplit split;
        private Key stepEnd;

        private Reading(KeyRangeSplit split) {
            this.split = split;
        }

        private KeyRangeSplit step() {
            return stepEnd == null ? split : split.until(stepEnd);
        }

        private boolean endsBefore(Key tuple) {
            return stepEnd != null && split.key().compare(stepEnd, tuple) < 0;
        }
    }

    private final Scan scan;
    private final Wanted wanted;
    private final ReaderChannel channel;
    private final ScanMetrics metrics;
    private final TableReader table;
    private final KeyCuts cuts;
    private final Deque<Reading> splits = new ArrayDeque<>();
    private RowLayout layout;
    private int pageSize;

    /**
     * @param tables opens the table, given what is to be told of each failed attempt
     */
    PageReader(
            Function<Runnable, TableReader> tables,
            Scan scan,
            Wanted wanted,
            ReaderChannel channel,
            ScanMetrics metrics) {
        this.scan = scan;
        this.wanted = wanted;
        this.channel = channel;
        this.metrics = metrics;
        this.pageSize = scan.pageSize();
        this.table = tables.apply(() -> {
            metrics.retries().inc();
            pageSize = Math.max(1, pageSize / 2);
        });
        this.cuts = new KeyCuts(table, scan.pageSize());
    }

    @Override
    public RecordsWithSplitIds<Object> fetch() throws IOException {
        PageBatch batch = new PageBatch();
        try {
            Reading toCut = find(channel.toCut());
            if (toCut != null) {
                cut(toCut, batch);
                channel.forgetCut(toCut.split.splitId());
                // At once: somebody has nothing to do.
                return batch;
            }
            long bytes = 0;
            for (int left = splits.size(); left > 0 && bytes < BATCH_BYTES && find(channel.toCut()) == null; left--) {
                long wait = TimeUnit.NANOSECONDS.toMillis(channel.pacer().nanosToWait() + 999_999);
                if (wait > 0 && (!batch.isEmpty() || !table.waitFor(wait))) {
                    break;
                }
                long read = readPage(batch);
                if (read < 0 || table.takeInterrupt()) {
                    break;
                }
                bytes += read;
                Double need = splits.isEmpty() ? null : channel.pacer().takeNeed();
                if (need != null) {
                    // At once: others may have use for what this reader has not.
                    batch.add(splits.element().split.splitId(), new PageBatch.Change.Need(need));
                    break;
                }
            }
        } catch (UserError e) {
            throw e.endingTheJob();
        }
        return batch;
    }

    /** Reads one page of the split whose turn it is; returns about how many bytes it has, or -1 if interrupted. */
    private long readPage(PageBatch batch) throws IOException {
        Reading reading = splits.element();
        if (layout == null) {
            layout = new RowLayout(wanted, reading.split.key());
        }
        long start = System.nanoTime();
        List<GenericRowData> rows;
        try {
            rows = table.page(
                    reading.step(),
                    () -> channel.pacer().pageLimit(pageSize),
                    scan.passesOverRows(reading.split.key()));
        } catch (TableReader.TimedOut e) {
            if (narrow(reading)) {
                return 0;
            }
            rows = read(reading);
        }
        if (rows == null) {
            return -1;
        }
        long nanos = System.nanoTime() - start;
        metrics.page(nanos);
        // A page that a failure made small grows again, so that one bad moment does not slow the rest.
        pageSize = Math.min(scan.pageSize(), pageSize * 2);
        splits.remove();
        if (!rows.isEmpty()) {
            channel.pacer().read(rows.size());
            reading.split = reading.split.readTo(layout.keyOf(rows.get(rows.size() - 1)), 0);
            splits.add(reading);
            batch.add(reading.split.splitId(), rows);
            return (long) rows.size() * layout.sizeOf(rows.get(rows.size() / 2));
        }
        if (reading.stepEnd == null) {
            batch.finish(reading.split.splitId());
        } else {
            step(reading, nanos);
            splits.add(reading);
            batch.add(reading.split.splitId(), new PageBatch.Change.MovedTo(reading.split.lower()));
        }
        return 0;
    }

    private List<GenericRowData> read(Reading reading) throws IOException {
        try {
            return table.page(reading.step(), () -> channel.pacer().pageLimit(pageSize), false);
        } catch (TableReader.TimedOut e) {
            throw new IOException(e);
        }
    }

    /** Halves the step in which a split is read; false where it has a page at most. */
    private boolean narrow(Reading reading) throws IOException {
        Key middle = cuts.half(reading.step());
        if (middle == null) {
            return false;
        }
        LOG.info("Split {} of {} is read in steps, the next to {}", reading.split.splitId(), scan.table(), middle);
        reading.stepEnd = middle;
        return true;
    }

    /** Goes on after a step that has been read; a longer step where the last read was far from the time limit. */
    private void step(Reading reading, long nanos) throws IOException {
        Key from = reading.split.lastKey() != null ? reading.split.lastKey() : reading.split.lower();
        Key to = reading.stepEnd;
        reading.split = reading.split.from(to);
        reading.stepEnd =
                cuts.onward(reading.split, from, to, nanos < scan.timeout().toNanos() / 4 ? 3 : 2);
    }

    /** The split of a name, where this reader has it: it may be done, or not have come yet. */
    private Reading find(String splitId) {
        for (Reading reading : splits) {
            if (reading.split.splitId().equals(splitId)) {
                return reading;
            }
        }
        return null;
    }

    /**
     * Offers parts of a split: some of the only one, all that is left of one of several. The latter takes one query, and
     * leaves no small pieces.
     */
    private void cut(Reading reading, PageBatch batch) throws IOException {
        KeyRangeSplit split = reading.split;
        boolean whole = splits.size() > 1;
        List<Key> at = whole ? rest(split) : cuts.pieces(split);
        if (!at.isEmpty()) {
            List<KeyRangeSplit> parts = new ArrayList<>();
            for (int i = 0; i < at.size(); i++) {
                Key end = i + 1 < at.size() ? at.get(i + 1) : split.upper();
                KeyRangeSplit part = KeyRangeSplit.of(UUID.randomUUID().toString(), split.key(), at.get(i), end);
                parts.add(part.as(KeyRangeSplit.Kind.OFFERED));
            }
            batch.add(split.splitId(), new PageBatch.Change.CutOff(parts));
        }
        if (whole) {
            splits.remove(reading);
            batch.finish(split.splitId());
        } else if (at.isEmpty()) {
            batch.add(split.splitId(), new PageBatch.Change.NotCut());
        } else {
            reading.split = split.until(at.get(0));
            if (!reading.endsBefore(at.get(0))) {
                reading.stepEnd = null;
            }
        }
    }

    private List<Key> rest(KeyRangeSplit split) throws IOException {
        Key first = table.first(split);
        return first == null ? List.of() : List.of(first);
    }

    @Override
    public void handleSplitsChanges(SplitsChange<KeyRangeSplit> change) {
        if (!(change instanceof SplitsAddition)) {
            throw new UnsupportedOperationException("splits are only ever added");
        }
        change.splits().forEach(split -> splits.add(new Reading(split)));
    }

    @Override
    public void wakeUp() {
        table.interrupt();
    }

    @Override
    public void close() {
        table.close();
    }
}
