package io.lindorm.flink.source;

import io.lindorm.flink.rate.FairShare;
import io.lindorm.flink.rate.TokenBucket;
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
    private final TokenBucket rows;
    private long lagFrom;
    private double rowsSinceLagFrom;
    private long usedFrom;
    private long rowsUsed;
    private long heldBackNanos;

    /** How long the wait is that the reader was last told, and when; it may wait less. */
    private long toldWait;

    private long toldAt;

    /**
     * @param clock nanoseconds from any beginning
     */
    Pacer(LongSupplier clock) {
        this.clock = clock;
        this.rows = new TokenBucket(1, clock.getAsLong());
    }

    private boolean isUnlimited() {
        return rows.rate() == Double.POSITIVE_INFINITY;
    }

    /** Sets the rate, in rows per second; infinite for no limit. */
    synchronized void setRate(double rowsPerSecond) {
        long now = clock.getAsLong();
        if (isUnlimited()) {
            startPeriod(now);
        }
        if (rowsPerSecond != rows.rate()) {
            rows.rate(rowsPerSecond, now);
            // Else a page that was read at a high rate would hold up reading at a low one for minutes.
            rows.forgive(rowsPerSecond);
            lagFrom = now;
            rowsSinceLagFrom = 0;
        }
    }

    /** Nanoseconds until the next read. */
    synchronized long nanosToWait() {
        long now = clock.getAsLong();
        heldBackNanos += Math.min(toldWait, now - toldAt);
        toldWait = rows.opensIn(0, now);
        toldAt = now;
        return toldWait;
    }

    /**
     * How many rows a second this reader could use ({@link FairShare#demand}), going by what it did since the last answer.
     *
     * @return null before a second has passed, and without a limit
     */
    synchronized Double takeNeed() {
        long now = clock.getAsLong();
        if (isUnlimited() || now - usedFrom < SECOND) {
            return null;
        }
        double need = FairShare.demand(rowsUsed, heldBackNanos, now - usedFrom);
        startPeriod(now);
        return need;
    }

    private void startPeriod(long now) {
        usedFrom = now;
        rowsUsed = 0;
        heldBackNanos = 0;
    }

    /** Counts rows read. */
    synchronized void read(int count) {
        rows.take(count);
        rowsSinceLagFrom += count;
        rowsUsed += count;
    }

    /** A page of more rows than a second's would make the pace uneven. */
    synchronized int pageLimit(int pageSize) {
        return (int) Math.max(1, Math.min(pageSize, rows.rate()));
    }

    /** How far reading is behind what the rate allows, in milliseconds since the rate was set; 0 without a limit. */
    synchronized long lagMillis() {
        if (isUnlimited()) {
            return 0;
        }
        return Math.max(0, (long) ((clock.getAsLong() - lagFrom) / 1e6 - rowsSinceLagFrom / rows.rate() * 1e3));
    }
}
