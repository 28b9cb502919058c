package io.lindorm.flink.dynamodb;

/**
 * How many items a writer takes in: with as many open lanes as fill two batches a few items are enough; with fewer,
 * because partitions are full, more are taken in to find others, up to what is written in 20 seconds at best.
 */
final class IntakeLimit {

    /** So many items are always taken in. */
    private static final int ITEMS_ALWAYS = 2_000;

    private static final int MAX_ITEMS = 50_000;
    private static final long MAX_BYTES = 32L * 1024 * 1024;
    private static final double MAX_SECONDS = 20;

    private static final int LANES_ENOUGH = 2 * Lanes.MAX_BATCH_ITEMS;

    private final Lanes lanes;
    private boolean isFull;

    /**
     * The best so far. With the last second's, a rate that falls because only full partitions are left would leave
     * even less room for others, down to the speed of the fullest.
     */
    private double bestRate;

    IntakeLimit(Lanes lanes) {
        this.lanes = lanes;
    }

    /** Whether there was none when it was last looked at. */
    boolean wasFull() {
        return isFull;
    }

    /** Whether no more should be taken in. */
    boolean isFull(long now) {
        if (!isFull && lanes.size() < ITEMS_ALWAYS && lanes.bytes() < MAX_BYTES) {
            return false;
        }
        double perSecond = lanes.recentRate(now);
        bestRate = Math.max(bestRate, perSecond);
        // Room comes in steps, so that the thread that hands in is not woken for each item.
        int step = isFull ? (int) Math.max(1, Math.min(ITEMS_ALWAYS / 4, perSecond / 10)) : 0;
        int size = lanes.size() + step;
        isFull = size >= ITEMS_ALWAYS
                        && (lanes.openLanes() >= LANES_ENOUGH
                                || size >= Math.min(MAX_ITEMS, Math.max(ITEMS_ALWAYS, MAX_SECONDS * bestRate)))
                || lanes.bytes() >= MAX_BYTES;
        return isFull;
    }
}
