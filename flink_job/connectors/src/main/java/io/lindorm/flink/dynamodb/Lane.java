package io.lindorm.flink.dynamodb;

import io.lindorm.flink.rate.TokenBucket;
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

    /** A lane that rests does so for this long at least, so that it comes back with more than one item. */
    private static final long REST_NANOS = 10_000_000L;

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

    private final TokenBucket bucket;

    Lane(long now) {
        bucket = new TokenBucket(BURST_SECONDS, now);
    }

    /** Whether an item may be taken, where the lane's rate is {@code rate} units per second. */
    boolean isOpen(double rate, long now) {
        bucket.rate(rate, now);
        if (bucket.isOpen(now)) {
            return true;
        }
        opensAt = now + Math.max(REST_NANOS, bucket.opensIn(0, now));
        return false;
    }

    /** Whether this partition has been full within the last seconds, and not only seemed so. */
    boolean isKnownFull(long now) {
        return wasRefusedInPart && limit.isNear(now);
    }

    void take(Item item) {
        bucket.take(item.units());
    }

    /** Something was refused: nothing is left of what the lane had saved. */
    void drain() {
        bucket.drain();
    }
}
