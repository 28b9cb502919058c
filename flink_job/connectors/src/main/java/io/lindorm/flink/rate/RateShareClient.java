package io.lindorm.flink.rate;

import java.io.IOException;
import java.util.function.DoubleConsumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells a writer, once a second, its share of the rate that all writers keep together. */
public final class RateShareClient implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(RateShareClient.class);
    private static final long PERIOD_MILLIS = 1_000;

    /**
     * How a share was used.
     *
     * @param units write units that were sent
     * @param heldBackNanos how long items waited for nothing but the rate
     */
    public record Use(double units, long heldBackNanos) {}

    private final RatesFile file;
    private final RateShares shares;
    private final Supplier<Use> use;
    private final DoubleConsumer share;
    private long askedAt;
    private double rate;

    /**
     * @param use how the share was used since this was last asked
     * @param share takes the share, in write units per second; infinite for no limit
     * @throws io.lindorm.flink.UserError where the file cannot be understood
     */
    public RateShareClient(RatesFile file, RateShares shares, Supplier<Use> use, DoubleConsumer share) {
        this.file = file;
        this.shares = shares;
        this.use = use;
        this.share = share;
        this.askedAt = System.nanoTime();
        this.rate = file.perSecond();
        share.accept(rate / shares.writers());
    }

    @Override
    public void run() {
        try {
            while (true) {
                Thread.sleep(PERIOD_MILLIS);
                ask();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void ask() {
        long now = System.nanoTime();
        long nanos = now - askedAt;
        askedAt = now;
        Use used = use.get();
        double newRate = file.perSecond();
        if (newRate != rate) {
            rate = newRate;
            share.accept(rate / shares.writers());
        }
        if (rate == Double.POSITIVE_INFINITY) {
            return;
        }
        double demand = FairShare.demand(used.units(), used.heldBackNanos(), nanos);
        try {
            share.accept(shares.ask(RateShare.request(shares.writer(), shares.writers(), rate, demand)));
        } catch (IOException e) {
            // The JobManager is away: the shares that all have still make up the rate.
            LOG.info("The share of the write rate stays as it is: {}", e.toString());
        }
    }
}
