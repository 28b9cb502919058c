package io.lindorm.flink.dynamodb;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The items that wait for one partition key, or for a few that share the lane by their hash, and how fast that
 * partition takes them. A lane that nothing was refused from is as fast as its neighbours are known to be.
 */
final class Lane {

    enum State {
        EMPTY,
        OPEN,
        RESTING
    }

    private static final double NANOS = 1e9;

    /** A lane that rests does so for this long at least, so that it comes back with more than one item. */
    private static final double REST_SECONDS = 0.01;

    private static final double BURST_SECONDS = 0.1;
    private static final double FIRST_GUESS = 10;

    final Deque<Item> items = new ArrayDeque<>(4);
    final LearnedRate limit = new LearnedRate(FIRST_GUESS);
    /** Whether the last that was heard of an item of this lane was that it was refused. */
    boolean wasRefused;
    /** Whether something of this lane was ever refused where something else of its batch was not. */
    boolean wasRefusedInPart;

    State state = State.EMPTY;
    long opensAt;

    private double tokens;
    private long filledAt;

    /** Whether an item may be taken, where the lane's rate is {@code rate} units per second. */
    boolean isOpen(double rate, long now) {
        if (rate == Double.POSITIVE_INFINITY) {
            tokens = 0;
            filledAt = now;
            return true;
        }
        tokens = Math.min(Math.max(1, rate * BURST_SECONDS), tokens + Math.max(0, now - filledAt) / NANOS * rate);
        filledAt = now;
        if (tokens > 0) {
            return true;
        }
        opensAt = now + (long) (Math.max(REST_SECONDS, -tokens / rate) * NANOS);
        return false;
    }

    /** Whether this partition has been full within the last seconds, and not only seemed so. */
    boolean isKnownFull(long now) {
        return wasRefusedInPart && limit.isNear(now);
    }

    void take(Item item) {
        tokens -= item.units();
    }

    /** Something was refused: nothing is left of what the lane had saved. */
    void drain() {
        tokens = Math.min(tokens, 0);
    }
}
