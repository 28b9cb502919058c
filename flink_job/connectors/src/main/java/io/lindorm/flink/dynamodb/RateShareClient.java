package io.lindorm.flink.dynamodb;

import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells a writer, once a second, its share of the rate that all writers keep together. */
final class RateShareClient implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(RateShareClient.class);
    private static final long PERIOD_MILLIS = 1_000;

    private final RatesFile file;
    private final RateShares shares;
    private final ItemWriter writer;
    private long askedAt;
    private double rate;

    RateShareClient(RatesFile file, RateShares shares, ItemWriter writer) {
        this.file = file;
        this.shares = shares;
        this.writer = writer;
        this.askedAt = System.nanoTime();
        this.rate = file.writeUnitsPerSecond();
        writer.rate(rate / shares.writers());
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

    void ask() {
        long now = System.nanoTime();
        double seconds = (now - askedAt) / 1e9;
        askedAt = now;
        ItemWriter.Use use = writer.takeUse();
        double newRate = file.writeUnitsPerSecond();
        if (newRate != rate) {
            LOG.info("Write units per second for all writers together: {}, before {}", newRate, rate);
            rate = newRate;
            writer.rate(rate / shares.writers());
        }
        if (rate == Double.POSITIVE_INFINITY) {
            return;
        }
        double demand = RateShare.demand(use.units() / seconds, use.heldBackNanos() / 1e9 / seconds);
        try {
            writer.rate(shares.ask(RateShare.request(shares.writer(), shares.writers(), rate, demand)));
        } catch (IOException e) {
            // The JobManager is away: the shares that all have still make up the rate.
            LOG.info("The share of the write rate stays as it is: {}", e.toString());
        }
    }
}
