package io.lindorm.flink.dynamodb;

import io.lindorm.flink.UserError;
import io.lindorm.flink.rate.RateShareClient;
import io.lindorm.flink.rate.RateShares;
import io.lindorm.flink.rate.RatesFile;
import io.lindorm.flink.rate.TokenBucket;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts items into DynamoDB: one thread hands them in, several have a batch on its way each.
 *
 * <p>No item is forgotten: it is counted as written when DynamoDB has acknowledged it, or given out by {@link
 * #takeInvalid} when DynamoDB has called it invalid, and until then is part of what {@link #snapshot} gives. A put that
 * is repeated, because the answer was lost or a checkpoint restored, writes the same item again.
 *
 * <p>What is refused for want of capacity comes back at its partition's turn ({@link Lanes}). Errors of the server and
 * the network are retried, with pauses that double and jitter, for a limited time. A batch that DynamoDB calls invalid
 * is halved until the item is found. What else DynamoDB says is wrong ends the job.
 */
public final class ItemWriter implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ItemWriter.class);

    /** Batches on their way at most: 40,000 items a second at 20 ms each. */
    static final int MAX_IN_FLIGHT = 32;

    private static final int FIRST_IN_FLIGHT = 4;

    /** A batch that is not full waits so long for more. */
    private static final long LINGER_NANOS = 5_000_000L;

    private static final long FIRST_PAUSE_NANOS = 50_000_000L;
    private static final long LONGEST_PAUSE_NANOS = 10_000_000_000L;
    private static final Duration GIVE_UP = Duration.ofMinutes(2);
    /** An item with which no request passes, while others do, is given up after so many times that, and so many tries. */
    private static final int PATIENCE_WITH_ITEM = 5;

    private static final int TRIES_WITH_ITEM = 10;
    private static final double BURST_SECONDS = 1;

    /** So many invalid items, and none that was taken between them: it is the table. */
    static final int MOST_SUSPECTS = 1_000;

    /** The same where there are no more to try, and none was ever taken. */
    static final int MOST_SUSPECTS_OF_ALL = Lanes.MAX_BATCH_ITEMS;

    private final BatchWrite dynamoDb;
    private final Consumer<Throwable> onFailure;
    private final Duration giveUp;
    private final List<Thread> threads = new ArrayList<>();

    private final ReentrantLock lock = new ReentrantLock();
    /** For the sender whose turn it is to wait for a batch; the others wait for their turn. */
    private final Condition change = lock.newCondition();

    private final Condition turn = lock.newCondition();
    /** For the thread that hands in. */
    private final Condition hasRoom = lock.newCondition();

    // All that follows is read and changed under the lock.
    private final TokenBucket given;
    private final Lanes lanes;
    private final IntakeLimit intake;
    private final Set<Item> inFlight = Collections.newSetFromMap(new IdentityHashMap<>());
    /** Of the items whose last request had no answer. */
    private final Map<Item, Failing> failing = new IdentityHashMap<>();
    /** Called invalid, each alone, and since then nothing was taken: the table may be what is wrong. */
    private final List<Invalid> suspects = new ArrayList<>();
    /** Called invalid by a table that takes others. */
    private final List<Invalid> invalid = new ArrayList<>();

    private volatile boolean hasInvalid;
    private boolean isTurnTaken;
    private int requests;
    private int maxRequests = FIRST_IN_FLIGHT;
    private long lastTake;
    private boolean isDraining;
    private boolean isClosed;
    private Throwable failure;
    /** When the errors began that no answer has come between; 0 where the last request was answered. */
    private long failingSince;

    private long pause;
    private long pausedUntil;
    private boolean waitsForRate;

    private long written;
    private double consumed;
    private long throttled;
    private double sentUnits;
    private long heldBackNanos;

    /**
     * @param dynamoDb taken over, and closed
     * @param onFailure told, once, of an error after which nothing more is written
     * @param written how many items were written before, by the writers that this one continues
     * @param waiting the items that those had not written
     * @param giveUp how long there may be no answer
     */
    ItemWriter(
            BatchWrite dynamoDb,
            Consumer<Throwable> onFailure,
            long written,
            Collection<Item> waiting,
            Duration giveUp) {
        this.dynamoDb = dynamoDb;
        this.onFailure = onFailure;
        this.giveUp = giveUp;
        this.written = written;
        long now = System.nanoTime();
        this.given = new TokenBucket(BURST_SECONDS, now);
        this.lanes = new Lanes(given, now);
        this.intake = new IntakeLimit(lanes);
        this.pausedUntil = now;
        this.lastTake = now;
        waiting.forEach(lanes::add);
    }

    /** A writer to a table, which gives up after two minutes without an answer; {@link #start} begins. */
    public static ItemWriter to(Target target, Consumer<Throwable> onFailure, long written, Collection<Item> waiting) {
        return new ItemWriter(BatchWrite.to(target, MAX_IN_FLIGHT), onFailure, written, waiting, GIVE_UP);
    }

    /**
     * Begins to write.
     *
     * @param rates the file with the rate that all writers of the job keep together, or null for no rate
     * @throws UserError where that file cannot be understood
     */
    public void start(String name, Path rates, RateShares shares) {
        RatesFile file = new RatesFile(rates, "writeUnitsPerSecond", Double.POSITIVE_INFINITY);
        start(name + " rate", new RateShareClient(file, shares, this::takeUse, this::rate));
        for (int i = 0; i < MAX_IN_FLIGHT; i++) {
            start(name + " " + i, this::send);
        }
    }

    private void start(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
        threads.add(thread);
    }

    /**
     * Takes an item over; waits while there are enough.
     *
     * @throws IOException where writing has failed
     */
    public void write(Item item) throws IOException, InterruptedException {
        lock.lock();
        try {
            throwFailure();
            while (intake.isFull(System.nanoTime())) {
                hasRoom.await();
                throwFailure();
            }
            lanes.add(item);
            int ready = lanes.openItems(System.nanoTime());
            if (ready == 1 || ready == Lanes.MAX_BATCH_ITEMS) {
                change.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    private void throwFailure() throws IOException {
        if (failure != null) {
            throw new IOException("writing to DynamoDB has failed: " + failure.getMessage(), failure);
        }
    }

    /**
     * An item that DynamoDB does not take.
     *
     * @param words DynamoDB's
     */
    public record Invalid(Item item, String words) {}

    /** Gives out the items that DynamoDB does not take; they are the caller's from then on, and in no snapshot. */
    public List<Invalid> takeInvalid() {
        if (!hasInvalid) {
            return List.of();
        }
        lock.lock();
        try {
            List<Invalid> taken = List.copyOf(invalid);
            invalid.clear();
            hasInvalid = false;
            return taken;
        } finally {
            lock.unlock();
        }
    }

    private void believeSuspects() {
        if (!suspects.isEmpty()) {
            invalid.addAll(suspects);
            suspects.clear();
            hasInvalid = true;
        }
    }

    /**
     * Waits until all items are written, or can be taken as invalid.
     *
     * @throws IOException where writing has failed
     */
    public void drain() throws IOException, InterruptedException {
        lock.lock();
        try {
            isDraining = true;
            change.signal();
            while (lanes.size() > 0 || !inFlight.isEmpty()) {
                throwFailure();
                hasRoom.await();
            }
            throwFailure();
            if (written == 0 && suspects.size() >= MOST_SUSPECTS_OF_ALL) {
                throw everyItemIsInvalid(suspects.get(0).words);
            }
            believeSuspects();
            isDraining = false;
        } finally {
            lock.unlock();
        }
    }

    /**
     * What a checkpoint must hold.
     *
     * @param written how many items are written
     * @param waiting those that are not, or of which it is not known
     */
    public record Snapshot(long written, List<Item> waiting) {}

    /**
     * Gives what a checkpoint must hold; waits for nothing. What is on its way counts as waiting: if it is written in
     * the meantime, it is written twice.
     */
    public Snapshot snapshot() throws IOException {
        lock.lock();
        try {
            throwFailure();
            List<Item> waiting = lanes.items();
            waiting.addAll(inFlight);
            suspects.forEach(one -> waiting.add(one.item));
            invalid.forEach(one -> waiting.add(one.item));
            return new Snapshot(written, waiting);
        } finally {
            lock.unlock();
        }
    }

    /** How many items DynamoDB has acknowledged. */
    public long written() {
        return (long) locked(() -> written);
    }

    /** What DynamoDB says was consumed, in write units, since the start. */
    public double consumedUnits() {
        return locked(() -> consumed);
    }

    /** How many puts DynamoDB has refused for want of capacity, each time, since the start. */
    public long throttled() {
        return (long) locked(() -> throttled);
    }

    private double locked(DoubleSupplier value) {
        lock.lock();
        try {
            return value.getAsDouble();
        } finally {
            lock.unlock();
        }
    }

    /** Sets the rate to keep, in write units per second; infinite for none. */
    private void rate(double unitsPerSecond) {
        lock.lock();
        try {
            given.rate(unitsPerSecond, System.nanoTime());
            change.signal();
        } finally {
            lock.unlock();
        }
    }

    /** How the rate was used since this was last asked. */
    private RateShareClient.Use takeUse() {
        lock.lock();
        try {
            RateShareClient.Use use = new RateShareClient.Use(sentUnits, heldBackNanos);
            sentUnits = 0;
            heldBackNanos = 0;
            return use;
        } finally {
            lock.unlock();
        }
    }

    private void send() {
        try {
            for (List<Item> batch = nextBatch(0); batch != null; batch = nextBatch(1)) {
                put(batch);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Throwable e) {
            fail(e);
        }
    }

    /**
     * Waits for its turn and for a batch.
     *
     * @param done how many requests this thread has just finished
     * @return the batch, or null when there is no more to do
     */
    private List<Item> nextBatch(int done) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            requests -= done;
            change.signal();
            while (isTurnTaken) {
                turn.await();
            }
            isTurnTaken = true;
            try {
                while (!isClosed && failure == null) {
                    long now = System.nanoTime();
                    long wait = waitForBatch(now);
                    if (wait <= 0) {
                        List<Item> batch = lanes.take(now);
                        if (!batch.isEmpty()) {
                            lastTake = now;
                            requests++;
                            inFlight.addAll(batch);
                            for (Item item : batch) {
                                sentUnits += item.units();
                            }
                            return batch;
                        }
                        // All lanes turned out to rest: ask again.
                    } else if (wait == Long.MAX_VALUE) {
                        change.await();
                    } else {
                        change.awaitNanos(wait);
                        heldBackNanos += waitsForRate ? System.nanoTime() - now : 0;
                    }
                }
                return null;
            } finally {
                isTurnTaken = false;
                turn.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Nanoseconds until it is worth asking for a batch; 0 for now, {@link Long#MAX_VALUE} for not before a change. */
    private long waitForBatch(long now) {
        waitsForRate = false;
        if (requests >= maxRequests || lanes.size() == 0) {
            return Long.MAX_VALUE;
        }
        if (pausedUntil - now > 0) {
            return pausedUntil - now;
        }
        int ready = lanes.openItems(now);
        if (ready == 0) {
            return lanes.nextWakeIn(now);
        }
        long linger = ready < Lanes.MAX_BATCH_ITEMS && !isDraining ? lastTake + LINGER_NANOS - now : 0;
        long others = Math.max(linger, lanes.tableOpensIn(now));
        long rate = given.opensIn(Lanes.MAX_BATCH_ITEMS, now);
        waitsForRate = rate > 0 && others <= 0;
        return Math.max(rate, others);
    }

    private void put(List<Item> batch) {
        try {
            settle(batch, dynamoDb.put(batch));
        } catch (DynamoDbException e) {
            if (!e.isOfAnItem()) {
                throw e.forUser();
            }
            if (batch.size() == 1) {
                suspect(batch.get(0), e.words());
                return;
            }
            int half = batch.size() / 2;
            put(batch.subList(0, half));
            put(batch.subList(half, batch.size()));
        } catch (IOException e) {
            retryLater(batch, e);
        }
    }

    /** Since when no request with an item has had an answer, in nanoseconds, and how many there were. */
    private record Failing(long since, int tries) {}

    private void suspect(Item item, String words) {
        lock.lock();
        try {
            inFlight.remove(item);
            failing.remove(item);
            // It has cost nothing.
            given.take(-item.units());
            suspects.add(new Invalid(item, words));
            if (suspects.size() >= MOST_SUSPECTS) {
                throw everyItemIsInvalid(words);
            }
            failingSince = 0;
            answered();
        } finally {
            lock.unlock();
        }
    }

    private RuntimeException everyItemIsInvalid(String words) {
        return new UserError("DynamoDB does not take any item: each of the last " + suspects.size()
                        + " was refused, and none between them was taken; the last words: " + words
                        + ". Have the table's indexes changed?")
                .endingTheJob();
    }

    private void settle(List<Item> batch, Answer answer) {
        lock.lock();
        try {
            long now = System.nanoTime();
            Set<Item> refused = Collections.newSetFromMap(new IdentityHashMap<>());
            refused.addAll(answer.refused());
            lanes.answered(batch, refused, answer.tableIsFull(), now);
            throttled += refused.size();
            written += batch.size() - refused.size();
            double units = 0;
            for (Item item : batch) {
                inFlight.remove(item);
                units += refused.contains(item) ? 0 : item.units();
            }
            if (!failing.isEmpty()) {
                batch.forEach(failing::remove);
            }
            if (refused.size() < batch.size()) {
                believeSuspects();
            }
            if (answer.units() > 0) {
                // What DynamoDB counts is what counts: indexes and greater items that were there cost more.
                given.take(answer.units() - units);
                units = answer.units();
            }
            consumed += units;
            failingSince = 0;
            pause = 0;
            if (refused.isEmpty() && maxRequests < MAX_IN_FLIGHT) {
                maxRequests++;
            }
            answered();
        } finally {
            lock.unlock();
        }
    }

    private void retryLater(List<Item> batch, IOException e) {
        lock.lock();
        try {
            if (isClosed) {
                return;
            }
            long now = System.nanoTime();
            for (Item item : batch) {
                inFlight.remove(item);
                lanes.giveBack(item);
            }
            if (failingSince == 0) {
                failingSince = now;
            } else if (now - failingSince > giveUp.toNanos()) {
                throw new UserError(
                        "DynamoDB has not answered for " + giveUp.toSeconds() + " s; the last error: " + e.getMessage(),
                        e);
            }
            Duration patience = giveUp.multipliedBy(PATIENCE_WITH_ITEM);
            for (Item item : batch) {
                Failing tries =
                        failing.merge(item, new Failing(now, 1), (old, one) -> new Failing(old.since, old.tries + 1));
                if (tries.tries > TRIES_WITH_ITEM && now - tries.since > patience.toNanos()) {
                    throw new UserError(
                                    "DynamoDB answers, but for " + patience.toSeconds()
                                            + " s not once when the item with the key " + item.keyText()
                                            + " was sent; the last error: "
                                            + e.getMessage(),
                                    e)
                            .endingTheJob();
                }
            }
            if (pausedUntil - now <= 0) {
                pause = Math.min(LONGEST_PAUSE_NANOS, Math.max(FIRST_PAUSE_NANOS, 2 * pause));
                pausedUntil =
                        now + (long) (pause * (0.5 + ThreadLocalRandom.current().nextDouble() / 2));
                LOG.warn("DynamoDB: {}; trying again in {} ms", e.toString(), (pausedUntil - now) / 1_000_000);
            }
            maxRequests = FIRST_IN_FLIGHT;
            answered();
        } finally {
            lock.unlock();
        }
    }

    /** Lets the thread that hands in go on, where it may. */
    private void answered() {
        if (isDraining
                ? lanes.size() == 0 && inFlight.isEmpty()
                : intake.wasFull() && !intake.isFull(System.nanoTime())) {
            hasRoom.signal();
        }
    }

    private void fail(Throwable e) {
        lock.lock();
        try {
            if (isClosed || failure != null) {
                return;
            }
            failure = e;
            change.signal();
            hasRoom.signal();
        } finally {
            lock.unlock();
        }
        onFailure.accept(e);
    }

    @Override
    public void close() {
        lock.lock();
        try {
            isClosed = true;
            change.signal();
        } finally {
            lock.unlock();
        }
        threads.forEach(Thread::interrupt);
        dynamoDb.close();
    }
}
