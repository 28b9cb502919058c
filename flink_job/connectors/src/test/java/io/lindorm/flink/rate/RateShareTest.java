package io.lindorm.flink.rate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Writers that keep a rate together, as {@link RateShareClient} has each of them ask, in time that is only counted. */
class RateShareTest {

    private static final long MILLI = 1_000_000L;
    private static final int MINUTE = 60_000;
    private static final int BATCH = 25;

    /** A writer that gets so many units a second to write, and can hold a second's worth of them. */
    private static final class Writer {
        private final TokenBucket given = new TokenBucket(1, 0);
        private double supply;
        private double waiting;
        private double used;
        private long heldBackMillis;
        private int askedAt;

        /** Works for a millisecond; the units that it wrote. */
        int work(int milli) {
            long now = milli * MILLI;
            int written = 0;
            waiting = Math.min(waiting + supply / 1000, Math.max(2 * BATCH, supply));
            while (waiting >= BATCH && given.opensIn(BATCH, now) == 0) {
                given.take(BATCH);
                waiting -= BATCH;
                written += BATCH;
            }
            used += written;
            heldBackMillis += waiting >= BATCH ? 1 : 0;
            return written;
        }

        double demand(int milli) {
            double demand = FairShare.demand(used, heldBackMillis * MILLI, (milli - askedAt) * MILLI);
            askedAt = milli;
            used = 0;
            heldBackMillis = 0;
            return demand;
        }
    }

    /** A job with so many writers. */
    private static final class Job {
        private final RateShare share = new RateShare();
        private RateShare.Shares shares = share.createAccumulator();
        private final List<Writer> writers = new ArrayList<>();
        private final List<Double> granted = new ArrayList<>();
        private double rate;
        private int milli;
        /** Units written, all told, after each millisecond. */
        private final List<Long> written = new ArrayList<>(List.of(0L));

        Job(int writers, double rate) {
            for (int i = 0; i < writers; i++) {
                this.writers.add(new Writer());
                granted.add(0.0);
            }
            rate(rate);
        }

        /** The rates file says so, and each writer begins with an equal share. */
        void rate(double rate) {
            this.rate = rate;
            for (int i = 0; i < writers.size(); i++) {
                grant(i, rate / writers.size());
            }
        }

        private void grant(int writer, double share) {
            granted.set(writer, share);
            writers.get(writer).given.rate(share, milli * MILLI);
        }

        void run(int millis) {
            for (int end = milli + millis; milli < end; milli++) {
                long units = written.get(milli);
                for (int i = 0; i < writers.size(); i++) {
                    Writer writer = writers.get(i);
                    units += writer.work(milli);
                    if ((milli + i * 137) % 1000 == 999) {
                        double[] request = RateShare.request(i, writers.size(), rate, writer.demand(milli));
                        grant(i, share.getResult(share.add(request, shares)));
                    }
                }
                written.add(units);
            }
        }

        /** Units a second in each minute that begins from the given one on. */
        List<Double> minutes(int from) {
            List<Double> found = new ArrayList<>();
            for (int start = from; start + MINUTE < written.size(); start += 500) {
                found.add((written.get(start + MINUTE) - written.get(start)) / 60.0);
            }
            return found;
        }
    }

    @Test
    void whatOneWriterDoesNotNeedTheOthersGet() {
        Job job = new Job(3, 3_000);
        job.writers.get(0).supply = 100;
        job.writers.get(1).supply = 10_000;
        job.writers.get(2).supply = 10_000;
        job.run(5 * MINUTE);
        for (double units : job.minutes(10_000)) {
            assertEquals(3_000, units, 0.02 * 3_000);
        }
    }

    @Test
    void aWriterThatHasHadNothingToDoGetsItsShareWithinSeconds() {
        Job job = new Job(2, 2_000);
        job.writers.get(0).supply = 10_000;
        job.run(MINUTE);
        job.writers.get(1).supply = 10_000;
        job.run(10_000);
        assertEquals(1_000, job.granted.get(0), 100);
        assertEquals(1_000, job.granted.get(1), 100);
    }

    @Test
    void aJobManagerThatForgetsTheSharesChangesNoMinute() {
        Job job = new Job(4, 4_000);
        job.writers.forEach(writer -> writer.supply = 10_000);
        job.writers.get(3).supply = 50;
        for (int i = 0; i < 5; i++) {
            job.run(MINUTE);
            job.shares = job.share.createAccumulator();
        }
        for (double units : job.minutes(10_000)) {
            assertEquals(4_000, units, 0.02 * 4_000);
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {500, 8_000})
    void anotherRateIsKeptFromTheNextSecondsOn(double rate) {
        Job job = new Job(3, 2_000);
        job.writers.forEach(writer -> writer.supply = 10_000);
        job.writers.get(2).supply = 100;
        job.run(MINUTE);
        job.rate(rate);
        job.run(3 * MINUTE);
        for (double units : job.minutes(MINUTE + 5_000)) {
            assertEquals(rate, units, 0.02 * rate);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void whateverEachWriterHasToDoNoMinuteGetsMoreThanTheRate(int seed) {
        Random random = new Random(seed);
        int writers = 1 + random.nextInt(12);
        double rate = 100 * Math.pow(10, random.nextDouble() * 3);
        Job job = new Job(writers, rate);
        for (int step = 0; step < 60; step++) {
            Writer writer = job.writers.get(random.nextInt(writers));
            writer.supply = random.nextInt(3) == 0 ? 0 : 3 * rate * random.nextDouble();
            job.run(1 + random.nextInt(10_000));
            assertTrue(
                    job.granted.stream().mapToDouble(Double::doubleValue).sum() <= rate * 1.0001,
                    job.granted::toString);
        }
        for (double units : job.minutes(0)) {
            assertTrue(units <= 1.02 * rate, units + " of " + rate);
        }
    }
}
