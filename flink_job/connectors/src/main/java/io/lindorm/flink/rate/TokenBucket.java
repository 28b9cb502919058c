package io.lindorm.flink.rate;

/**
 * A bucket of units (rows read, write units) that fills at a rate. What is taken may go below zero and is then paid back
 * first, so that an item of many units passes too, and the mean is the rate whatever the sizes.
 *
 * <p>Pure: time is an argument, in nanoseconds of {@link System#nanoTime}.
 */
public final class TokenBucket {

    private static final double NANOS = 1e9;

    private final double burstSeconds;
    private double rate = Double.POSITIVE_INFINITY;
    private double tokens;
    private long at;

    /**
     * @param burstSeconds how much of the rate is kept for later while nobody takes it
     * @param now when the bucket, empty, begins to fill
     */
    public TokenBucket(double burstSeconds, long now) {
        this.burstSeconds = burstSeconds;
        this.at = now;
    }

    /** Sets the rate from now on, in units per second; infinite for none. */
    public void rate(double unitsPerSecond, long now) {
        refill(now);
        rate = unitsPerSecond;
        tokens = Math.min(tokens, full());
    }

    public double rate() {
        return rate;
    }

    private double full() {
        return rate == Double.POSITIVE_INFINITY ? 0 : Math.max(1, rate * burstSeconds);
    }

    private void refill(long now) {
        if (now > at) {
            if (rate == Double.POSITIVE_INFINITY) {
                tokens = 0;
            } else {
                tokens = Math.min(full(), tokens + (now - at) / NANOS * rate);
            }
            at = now;
        }
    }

    /** Whether anything may be taken now. */
    public boolean isOpen(long now) {
        refill(now);
        return rate == Double.POSITIVE_INFINITY || tokens > 0;
    }

    /** Nanoseconds until so many units are there, or half of what the bucket holds where that is less. */
    public long opensIn(double units, long now) {
        refill(now);
        double missing = Math.min(units, full() / 2) - tokens;
        if (rate == Double.POSITIVE_INFINITY || missing <= 0) {
            return 0;
        }
        return rate <= 0 ? Long.MAX_VALUE : (long) Math.min(1e18, Math.ceil(missing / rate * NANOS));
    }

    /** Takes units; a negative number gives back. */
    public void take(double units) {
        tokens -= units;
    }

    /** Forgoes what was saved for later. */
    public void drain() {
        tokens = Math.min(tokens, 0);
    }

    /** Forgives what was taken beyond so many units. */
    public void forgive(double units) {
        tokens = Math.max(tokens, -units);
    }
}
