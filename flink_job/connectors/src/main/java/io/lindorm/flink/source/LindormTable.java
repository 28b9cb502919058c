package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntSupplier;
import org.apache.flink.table.data.GenericRowData;

/** A table read over a {@link Session}. */
final class LindormTable implements TableReader {

    private final Session session;
    private final Scan scan;
    private final Wanted wanted;
    private RowLayout layout;
    private boolean backwardsRefused;

    /**
     * @param hasLoggedIn whether a session of the same scan has logged in before
     * @param onRetry is told of each failed attempt before the next
     */
    LindormTable(Server server, Scan scan, Wanted wanted, boolean hasLoggedIn, Runnable onRetry) {
        this.session = new Session(server, scan, hasLoggedIn, Session.LOGIN_PATIENCE, onRetry);
        this.scan = scan;
        this.wanted = wanted;
    }

    /** What the server says of the table. */
    TableDescription describe(Server server) throws IOException {
        return session.run(open -> server.describe(open, scan.table()));
    }

    @Override
    public List<GenericRowData> page(KeyRangeSplit range, IntSupplier limit, boolean oneTimeoutEnough)
            throws IOException, TimedOut {
        RowLayout columns = layout(range);
        KeyOrder order = new KeyOrder(scan.table(), range.key());
        Session.Work<List<GenericRowData>> work = connection -> {
            int most = limit.getAsInt();
            try (PreparedStatement statement =
                            Session.prepare(connection, ScanQuery.page(scan, columns.columns(), range, most));
                    ResultSet rows = statement.executeQuery()) {
                List<GenericRowData> page = new ArrayList<>(most);
                while (rows.next()) {
                    page.add(columns.read(rows));
                }
                order.check(range, page, columns);
                return page;
            }
        };
        return oneTimeoutEnough ? session.runUntilTimeout(work) : session.run(work);
    }

    @Override
    public Key nth(KeyRangeSplit range, int rowsBefore) throws IOException {
        return key(ScanQuery.key(scan, range, rowsBefore, false), range);
    }

    @Override
    public Key last(KeyRangeSplit range) throws IOException {
        if (!backwardsRefused) {
            try {
                return key(ScanQuery.key(scan, range, 0, true), range);
            } catch (UserError e) {
                // No document says whether Lindorm reads the primary key backwards.
                if (!(e.getCause() instanceof SQLException refusal)
                        || !LindormServer.UNSUPPORTED.contains(refusal.getErrorCode())) {
                    throw e;
                }
                backwardsRefused = true;
            }
        }
        throw new UnsupportedOperationException("the server does not read backwards");
    }

    private Key key(ScanQuery query, KeyRangeSplit range) throws IOException {
        RowLayout keyOnly = RowLayout.ofKey(range.key());
        KeyOrder order = new KeyOrder(scan.table(), range.key());
        Key found = session.run(connection -> {
            try (PreparedStatement statement = Session.prepare(connection, query);
                    ResultSet rows = statement.executeQuery()) {
                if (!rows.next()) {
                    return Key.of();
                }
                Key one = keyOnly.keyOf(keyOnly.read(rows));
                order.check(range, one);
                return one;
            }
        });
        if (found == null) {
            // A pause was ended early. Whoever looks for a key needs it, and the next pause is not ended.
            return key(query, range);
        }
        return found.size() == 0 ? null : found;
    }

    private RowLayout layout(KeyRangeSplit range) {
        if (layout == null) {
            layout = new RowLayout(wanted, range.key());
        }
        return layout;
    }

    @Override
    public boolean waitFor(long millis) throws IOException {
        return session.waitFor(millis);
    }

    @Override
    public void interrupt() {
        session.interrupt();
    }

    @Override
    public boolean takeInterrupt() {
        return session.takeInterrupt();
    }

    @Override
    public void close() {
        session.close();
    }
}
