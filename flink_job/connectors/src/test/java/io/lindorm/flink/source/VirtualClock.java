package io.lindorm.flink.source;

import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.function.LongSupplier;

/**
 * A clock on which only sleeping takes time, and threads that take turns: whoever wakes first goes on, alone, until it
 * sleeps. So what is measured on it is the same on any machine.
 */
final class VirtualClock implements LongSupplier {

    private record Sleeper(long until, long number) {}

    private final PriorityQueue<Sleeper> sleepers =
            new PriorityQueue<>(Comparator.comparingLong(Sleeper::until).thenComparingLong(Sleeper::number));
    private final int threads;
    private int arrived;
    private int ended;
    private long now;
    private long numbers;
    private Sleeper awake;

    /**
     * @param threads how many there will be; each begins with a {@link #sleep} and finishes with {@link #end}
     */
    VirtualClock(int threads) {
        this.threads = threads;
    }

    @Override
    public synchronized long getAsLong() {
        return now;
    }

    synchronized void sleep(long nanos) {
        Sleeper self = new Sleeper(now + nanos, numbers++);
        sleepers.add(self);
        if (arrived < threads) {
            arrived++;
        }
        next();
        try {
            while (awake != self) {
                wait();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    synchronized void end() {
        ended++;
        next();
    }

    private void next() {
        if (arrived == threads && sleepers.size() == threads - ended && !sleepers.isEmpty()) {
            awake = sleepers.poll();
            now = awake.until;
            notifyAll();
        }
    }
}
