package io.lindorm.flink.source;

/**
 * Keeps one reader to its share of the rows that all may read in a second. Set by one thread, used by another.
 *
 * <p>What was not read in time may be made up for, but for no more than a second, so that a stop is not followed by a
 * rush on the server.
 */
final class Pacer {

    private static final long SECOND = 1_000_000_000L;

    private double rowsPerSecond;
    private double rowsDue;
    private long since;
    private long lagFrom;
    private double rowsSinceLagFrom;

    /** Sets the rate; 0 for no limit. */
    synchronized void setRate(double newRowsPerSecond, long now) {
        settle(now);
        if (newRowsPerSecond != rowsPerSecond) {
            rowsPerSecond = newRowsPerSecond;
            rowsDue = Math.max(rowsDue, -newRowsPerSecond);
            lagFrom = now;
            rowsSinceLagFrom = 0;
        }
    }

    /** Nanoseconds until the next read. */
    synchronized long nanosToWait(long now) {
        settle(now);
        return rowsPerSecond == 0 || rowsDue >= 0 ? 0 : (long) (-rowsDue / rowsPerSecond * SECOND) + 1;
    }

    /** Counts rows read. */
    synchronized void read(int rows) {
        rowsDue -= rows;
        rowsSinceLagFrom += rows;
    }

    /** A page of more rows than a second's would make the pace uneven. */
    synchronized int pageLimit(int pageSize) {
        return rowsPerSecond == 0 ? pageSize : (int) Math.max(1, Math.min(pageSize, rowsPerSecond));
    }

    /** How far reading is behind what the rate allows, in milliseconds since the rate was set; 0 without a limit. */
    synchronized long lagMillis(long now) {
        if (rowsPerSecond == 0) {
            return 0;
        }
        return Math.max(0, (long) ((now - lagFrom) / 1e6 - rowsSinceLagFrom / rowsPerSecond * 1e3));
    }

    private void settle(long now) {
        if (rowsPerSecond > 0) {
            rowsDue = Math.min(rowsPerSecond, rowsDue + rowsPerSecond * (now - since) / SECOND);
        } else {
            rowsDue = 0;
        }
        since = now;
    }
}
