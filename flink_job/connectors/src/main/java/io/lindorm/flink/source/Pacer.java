package io.lindorm.flink.source;

import java.util.function.LongSupplier;

/**
 * Keeps one reader to its share of the rows that all may read in a second. Set by one thread, used by another.
 *
 * <p>What was not read in time may be made up for, but for no more than a second, so that a stop is not followed by a
 * rush on the server.
 */
final class Pacer {

    private static final long SECOND = 1_000_000_000L;

    private final LongSupplier clock;
    private double rowsPerSecond;
    private double rowsDue;
    private long since;
    private long lagFrom;
    private double rowsSinceLagFrom;
    private long usedFrom;
    private long rowsUsed;
    private boolean waited;

    /**
     * @param clock nanoseconds from any beginning
     */
    Pacer(LongSupplier clock) {
        this.clock = clock;
    }

    /** Sets the rate; 0 for no limit. */
    synchronized void setRate(double newRowsPerSecond) {
        long now = clock.getAsLong();
        settle(now);
        if (rowsPerSecond == 0) {
            startPeriod(now);
        }
        if (newRowsPerSecond != rowsPerSecond) {
            rowsPerSecond = newRowsPerSecond;
            rowsDue = Math.max(rowsDue, -newRowsPerSecond);
            lagFrom = now;
            rowsSinceLagFrom = 0;
        }
    }

    /** Nanoseconds until the next read. */
    synchronized long nanosToWait() {
        settle(clock.getAsLong());
        if (rowsPerSecond == 0 || rowsDue >= 0) {
            return 0;
        }
        waited = true;
        return (long) (-rowsDue / rowsPerSecond * SECOND) + 1;
    }

    /**
     * How many rows a second were read since the last answer, infinity where the rate held reading up.
     *
     * @return null before a second has passed, and without a limit
     */
    synchronized Double takeNeed() {
        long now = clock.getAsLong();
        if (rowsPerSecond == 0 || now - usedFrom < SECOND) {
            return null;
        }
        double need = waited ? Double.POSITIVE_INFINITY : (double) rowsUsed / (now - usedFrom) * SECOND;
        startPeriod(now);
        return need;
    }

    private void startPeriod(long now) {
        usedFrom = now;
        rowsUsed = 0;
        waited = false;
    }

    /** Counts rows read. */
    synchronized void read(int rows) {
        rowsDue -= rows;
        rowsSinceLagFrom += rows;
        rowsUsed += rows;
    }

    /** A page of more rows than a second's would make the pace uneven. */
    synchronized int pageLimit(int pageSize) {
        return rowsPerSecond == 0 ? pageSize : (int) Math.max(1, Math.min(pageSize, rowsPerSecond));
    }

    /** How far reading is behind what the rate allows, in milliseconds since the rate was set; 0 without a limit. */
    synchronized long lagMillis() {
        if (rowsPerSecond == 0) {
            return 0;
        }
        return Math.max(0, (long) ((clock.getAsLong() - lagFrom) / 1e6 - rowsSinceLagFrom / rowsPerSecond * 1e3));
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
