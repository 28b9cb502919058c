package io.lindorm.flink.dynamodb;

import java.util.Arrays;
import org.apache.flink.api.common.functions.AggregateFunction;

/**
 * Divides a rate among the writers of a job by what they need. Each asks about once a second and says how much it
 * could use; it is given its fair share, but never more than what the others have not been given. So together they
 * never have more than the rate: what one no longer needs, another gets after the first has asked again.
 *
 * <p>It runs in the JobManager, as one of Flink's global aggregates. What goes there and back is of Java's own types,
 * for Flink reads it without this jar. A restart of the JobManager forgets the shares, and the writers' next requests
 * make them again.
 */
public final class RateShare implements AggregateFunction<double[], RateShare.Shares, Double> {

    private static final long serialVersionUID = 1L;

    /** A writer that needs nothing keeps so much of an equal share, to begin with when it does. */
    private static final double IDLE_SHARE = 0.02;

    /** A writer that the rate held back for more than this part of the time could use more. */
    private static final double HELD_BACK = 0.1;

    /** One that it did not may need a little more the next second. */
    private static final double HEADROOM = 1.05;

    /** What each writer has, and could use, in write units per second; and what the last that asked was given. */
    static final class Shares {
        private double[] granted = {};
        private double[] demand = {};
        private double last;
    }

    /**
     * How much a writer could use, in write units per second.
     *
     * @param used what it used, in the same unit
     * @param heldBack the part of the time for which nothing but its share held it back
     */
    static double demand(double used, double heldBack) {
        return heldBack > HELD_BACK ? Double.POSITIVE_INFINITY : used * HEADROOM;
    }

    /**
     * A request.
     *
     * @param writer who asks
     * @param writers how many there are
     * @param rate the rate to divide, in write units per second
     * @param demand how much this one could use, in write units per second; infinite for as much as it can get
     */
    static double[] request(int writer, int writers, double rate, double demand) {
        return new double[] {writer, writers, rate, demand};
    }

    @Override
    public Shares createAccumulator() {
        return new Shares();
    }

    @Override
    public Shares add(double[] request, Shares shares) {
        int writer = (int) request[0];
        int writers = (int) request[1];
        double rate = request[2];
        if (shares.granted.length != writers) {
            // Who has not asked yet has begun with an equal share, and may need all that it can get.
            shares.granted = new double[writers];
            shares.demand = new double[writers];
            Arrays.fill(shares.granted, rate / writers);
            Arrays.fill(shares.demand, Double.POSITIVE_INFINITY);
        }
        double least = IDLE_SHARE * rate / writers;
        shares.demand[writer] = Math.max(least, request[3]);
        double others = Arrays.stream(shares.granted).sum() - shares.granted[writer];
        double fair = fair(shares.demand, rate, shares.demand[writer]);
        shares.granted[writer] = Math.max(least, Math.min(fair, rate - others));
        shares.last = shares.granted[writer];
        return shares;
    }

    /** What a demand gets when all who need less than an equal part leave the rest to those who need more. */
    private static double fair(double[] demands, double rate, double demand) {
        double[] ascending = demands.clone();
        Arrays.sort(ascending);
        double left = rate;
        for (int i = 0; i < ascending.length; i++) {
            double equal = left / (ascending.length - i);
            if (ascending[i] > equal) {
                return Math.min(demand, equal);
            }
            left -= ascending[i];
        }
        // All have what they need: what is left is divided evenly, for whoever needs more the next moment.
        return demand + left / ascending.length;
    }

    @Override
    public Double getResult(Shares shares) {
        return shares.last;
    }

    @Override
    public Shares merge(Shares a, Shares b) {
        throw new UnsupportedOperationException("all writers ask the same JobManager");
    }
}
