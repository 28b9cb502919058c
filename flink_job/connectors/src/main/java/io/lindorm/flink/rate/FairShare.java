package io.lindorm.flink.rate;

import java.util.Arrays;

/** Divides a rate among those who keep it together, by what each could use of it. Pure. */
public final class FairShare {

    /** Who needs nothing keeps this part of an equal share, to begin with when that changes. */
    static final double IDLE_SHARE = 0.02;

    /** Who was held back by the rate for more than this part of the time could use more. */
    private static final double HELD_BACK = 0.1;

    /** Who was not may need a little more the next second. */
    private static final double HEADROOM = 1.05;

    private FairShare() {}

    /**
     * How much of a rate somebody could use, in units per second; infinite for as much as there is.
     *
     * @param units what was used
     * @param heldBackNanos for how long nothing but the share held it back
     * @param nanos the time that both are of
     */
    public static double demand(double units, long heldBackNanos, long nanos) {
        return heldBackNanos > HELD_BACK * nanos ? Double.POSITIVE_INFINITY : units * 1e9 / nanos * HEADROOM;
    }

    /**
     * What each gets: what it could use, unless that is more than an equal part of what those who need less leave. What
     * nobody needs is divided evenly, for whoever needs more the next moment. So the shares always make up the rate.
     *
     * @param rate in units per second; infinite for no limit
     * @param demands as {@link #demand} says them
     */
    public static double[] divide(double rate, double[] demands) {
        double[] shares = new double[demands.length];
        if (rate == Double.POSITIVE_INFINITY) {
            Arrays.fill(shares, rate);
            return shares;
        }
        double least = IDLE_SHARE * rate / demands.length;
        double[] ascending =
                Arrays.stream(demands).map(d -> Math.max(least, d)).sorted().toArray();
        double left = rate;
        int satisfied = 0;
        while (satisfied < ascending.length && ascending[satisfied] <= left / (ascending.length - satisfied)) {
            left -= ascending[satisfied++];
        }
        double equal = left / (ascending.length - satisfied);
        for (int i = 0; i < shares.length; i++) {
            double demand = Math.max(least, demands[i]);
            shares[i] = satisfied == shares.length ? demand + left / shares.length : Math.min(demand, equal);
        }
        return shares;
    }
}
