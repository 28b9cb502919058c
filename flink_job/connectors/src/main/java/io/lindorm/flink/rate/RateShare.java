package io.lindorm.flink.rate;

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

    /** What each writer has, and could use, in write units per second; and what the last that asked was given. */
    static final class Shares {
        private double[] granted = {};
        private double[] demand = {};
        private double last;
    }

    /**
     * A request.
     *
     * @param writer who asks
     * @param writers how many there are
     * @param rate the rate to divide, in write units per second
     * @param demand how much this one could use: {@link FairShare#demand}
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
        shares.demand[writer] = request[3];
        double others = Arrays.stream(shares.granted).sum() - shares.granted[writer];
        double fair = FairShare.divide(rate, shares.demand)[writer];
        shares.granted[writer] = Math.max(FairShare.IDLE_SHARE * rate / writers, Math.min(fair, rate - others));
        shares.last = shares.granted[writer];
        return shares;
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
