package io.lindorm.flink.source;

import io.lindorm.flink.UserError;

import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsAddition;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsChange;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

import java.io.IOException;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

/**
 * Reads its splits page by page, one page of each in turn, ahead of the rows being handed on.
 *
 * <p>A split ends with a page that has no row. A page that is merely shorter than asked for says nothing:
 * Lindorm ends a read at 16 MB too, and its documents leave open whether it then cuts or refuses.
 */
final class PageReader implements SplitReader<GenericRowData, KeyRangeSplit> {

    private final Scan scan;
    private final RowType wanted;
    private final double rowsPerSecond;
    private final Session session;
    private final Counter pages;
    private final Deque<KeyRangeSplit> splits = new ArrayDeque<>();
    private RowLayout layout;
    private int pageSize;
    private long nextReadAt = System.nanoTime();

    /**
     * @param rowsPerSecond this reader's share of the limit, or 0 for none
     * @param pages counts pages read
     * @param retries counts reads tried again
     */
    PageReader(Server server, Scan scan, RowType wanted, double rowsPerSecond, Counter pages, Counter retries) {
        this.scan = scan;
        this.wanted = wanted;
        this.rowsPerSecond = rowsPerSecond;
        this.pageSize = scan.pageSize();
        this.pages = pages;
        this.session = new Session(server, scan, byTimeout -> {
            retries.inc();
            if (byTimeout) {
                pageSize = Math.max(1, pageSize / 2);
            }
        });
    }

    @Override
    public RecordsWithSplitIds<GenericRowData> fetch() throws IOException {
        KeyRangeSplit split = splits.peek();
        try {
            if (split == null || !keepPace()) {
                return Page.NONE;
            }
            List<GenericRowData> rows = read(split);
            if (rows == null) {
                return Page.NONE;
            }
            splits.poll();
            if (rows.isEmpty()) {
                return new Page(split.splitId(), rows, true);
            }
            List<Object> lastKey = layout.keyOf(rows.get(rows.size() - 1));
            splits.add(split.readTo(lastKey, split.rowsRead() + rows.size()));
            pages.inc();
            // A page that a timeout made small grows again, so that one bad moment does not slow the rest.
            pageSize = Math.min(scan.pageSize(), pageSize * 2);
            nextReadAt = rowsPerSecond == 0
                    ? nextReadAt
                    : Math.max(nextReadAt, System.nanoTime() - 1_000_000_000L)
                            + (long) (rows.size() / rowsPerSecond * 1e9);
            return new Page(split.splitId(), rows, false);
        } catch (UserError e) {
            throw e.endingTheJob();
        }
    }

    private boolean keepPace() throws IOException {
        return rowsPerSecond == 0 || session.waitFor((nextReadAt - System.nanoTime()) / 1_000_000);
    }

    private List<GenericRowData> read(KeyRangeSplit split) throws IOException {
        if (layout == null) {
            layout = new RowLayout(wanted, split.key());
        }
        return session.run(connection -> {
            // Built inside, because an attempt that timed out makes the next page smaller.
            int limit = pageSize;
            try (PreparedStatement statement =
                            Session.prepare(connection, ScanQuery.page(scan, layout.columns(), split, limit));
                    ResultSet rows = statement.executeQuery()) {
                List<GenericRowData> page = new ArrayList<>(limit);
                while (rows.next()) {
                    page.add(layout.read(rows));
                }
                return page;
            }
        });
    }

    @Override
    public void handleSplitsChanges(SplitsChange<KeyRangeSplit> change) {
        if (!(change instanceof SplitsAddition)) {
            throw new UnsupportedOperationException("splits are only ever added");
        }
        splits.addAll(change.splits());
    }

    @Override
    public void wakeUp() {
        session.interrupt();
    }

    @Override
    public void close() {
        session.close();
    }

    /** Rows of one split, or the news that it has no more. */
    private static final class Page implements RecordsWithSplitIds<GenericRowData> {

        static final Page NONE = new Page(null, List.of(), false);

        private final String splitId;
        private final Iterator<GenericRowData> rows;
        private final boolean last;
        private boolean begun;

        Page(String splitId, List<GenericRowData> rows, boolean last) {
            this.splitId = splitId;
            this.rows = rows.iterator();
            this.last = last;
        }

        @Override
        public String nextSplit() {
            if (begun || last || splitId == null) {
                return null;
            }
            begun = true;
            return splitId;
        }

        @Override
        public GenericRowData nextRecordFromSplit() {
            return rows.hasNext() ? rows.next() : null;
        }

        @Override
        public Set<String> finishedSplits() {
            return last ? Set.of(splitId) : Set.of();
        }
    }
}
