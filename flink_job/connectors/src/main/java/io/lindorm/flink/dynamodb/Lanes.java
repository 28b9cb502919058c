package io.lindorm.flink.dynamodb;

import io.lindorm.flink.rate.TokenBucket;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * Items that wait to be written, by partition key, so that a partition that is full holds up nobody else: its items
 * wait aside while those of others go. A batch takes one item of each partition in turn.
 *
 * <p>DynamoDB gives no reason for an item that comes back unprocessed. Either its partition is full (1,000 write
 * units a second, "Best practices for designing and using partition keys"), or the table is. Each lane that something
 * came back from is slowed to what was taken of it. Where partitions are the limit, they are few and soon all known.
 * The table is the limit where DynamoDB says so, as it may when it refuses a whole batch; or where it refuses all from
 * one item of a batch on, and these are many or of ever new lanes.
 *
 * <p>A batch that is refused whole says little alone: DynamoDB refuses some at times for reasons that have nothing to do
 * with the rate (a partition that is being split or moved, other writers). Who slowed down for each of these would
 * measure his own rate, less what was refused, and slow down again, to nearly nothing. Where a bucket is empty, batches
 * come back in part too, or many whole ones in a row: these count.
 *
 * <p>Not for several threads at once. Pure: time is an argument, in nanoseconds of {@link System#nanoTime}.
 */
final class Lanes {

    /** BatchWriteItem takes 25 puts, and 16 MB (its page in the API reference). */
    static final int MAX_BATCH_ITEMS = 25;

    private static final int MAX_BATCH_BYTES = 8 * 1024 * 1024;

    /** More than keys that can be hot at once by far: so two of these seldom share a lane. */
    private static final int LANES = 8192;

    /**
     * A partition takes at least so much of what the writer gets through: a table's default quota is 40 times a
     * partition's limit.
     */
    private static final double LEAST_SHARE = 0.01;

    private static final double LEAST_RATE = 1;

    /** So many lanes are hardly ever all full and at a batch's end, unless the table is full. */
    private static final int MANY_LANES = 5;

    /** So many whole refusals with nothing accepted between them: of a fifth at random, one batch in 400,000. */
    private static final int WHOLE_REFUSALS_THAT_COUNT = 8;

    /**
     * The share of what is sent that speaks for a full table, above which it is one; the second where it was full
     * seconds ago.
     */
    private static final double FULL_SHARE = 0.01;

    private static final double FULL_SHARE_AGAIN = 0.0025;

    private static final long TYPICAL_NANOS = 10_000_000_000L;
    private static final double TABLE_BURST_SECONDS = 0.1;
    private static final double FIRST_GUESS = 50;

    /** A lane that is slower than this part of what the writer gets through says nothing of other partitions. */
    private static final double TYPICAL_SHARE = LEAST_SHARE;

    private final Lane[] lanes = new Lane[LANES];
    private final Deque<Lane> open = new ArrayDeque<>();
    private final PriorityQueue<Lane> resting = new PriorityQueue<>(Comparator.comparingLong(lane -> lane.opensAt));
    private final LearnedRate table = new LearnedRate(FIRST_GUESS);
    private final TokenBucket tableBucket;
    private final TokenBucket given;

    private int size;
    private int openItems;
    private long bytes;

    /** The fastest that a slow lane was measured lately, and when; 0: never. */
    private double typical;

    private long typicalAt;

    /** Items sent, and those that speak for a full table, both fading within about a second. */
    private double sent;

    private double fullTable;
    private long fadedAt;
    private final long start;

    /** Batches that were refused whole, in a row. */
    private int wholeRefusals;

    /**
     * @param given the rate to keep
     */
    Lanes(TokenBucket given, long now) {
        this.given = given;
        tableBucket = new TokenBucket(TABLE_BURST_SECONDS, now);
        fadedAt = now;
        start = now;
    }

    private Lane lane(Item item) {
        int hash = item.partitionHash() * 0x9E3779B9;
        int at = hash >>> (32 - Integer.numberOfTrailingZeros(LANES));
        if (lanes[at] == null) {
            lanes[at] = new Lane(start);
        }
        return lanes[at];
    }

    void add(Item item) {
        Lane lane = lane(item);
        lane.items.addLast(item);
        added(lane, item);
    }

    private void added(Lane lane, Item item) {
        size++;
        bytes += item.json().length;
        if (lane.state == Lane.State.EMPTY) {
            lane.state = Lane.State.OPEN;
            open.addLast(lane);
        }
        if (lane.state == Lane.State.OPEN) {
            openItems++;
        }
    }

    /** Puts back what was taken and not written, and what it took of the given rate. */
    void giveBack(Item item) {
        Lane lane = lane(item);
        // Behind the others: a key that is full must not hold up those that share its lane.
        lane.items.addLast(item);
        added(lane, item);
        given.take(-item.units());
    }

    int size() {
        return size;
    }

    long bytes() {
        return bytes;
    }

    /** Units per second that were accepted within about the last second. */
    double recentRate(long now) {
        return table.recentRate(now);
    }

    /** Items in lanes that are open; more than may be taken at once where a lane is slow. */
    int openItems(long now) {
        wake(now);
        return openItems;
    }

    /** Lanes that are open. */
    int openLanes() {
        return open.size();
    }

    /** Nanoseconds until a lane that rests opens; {@link Long#MAX_VALUE} where none rests. */
    long nextWakeIn(long now) {
        return resting.isEmpty() ? Long.MAX_VALUE : Math.max(0, resting.peek().opensAt - now);
    }

    /** Nanoseconds until the table, as far as it is known, takes more. */
    long tableOpensIn(long now) {
        tableBucket.rate(table.rate(now), now);
        return tableBucket.opensIn(MAX_BATCH_ITEMS, now);
    }

    private void wake(long now) {
        while (!resting.isEmpty() && resting.peek().opensAt <= now) {
            Lane lane = resting.poll();
            lane.state = Lane.State.OPEN;
            open.addLast(lane);
            openItems += lane.items.size();
        }
    }

    /**
     * Takes a batch: at most 25 items, no two of one key, of as many partitions as there are.
     *
     * @return the items; empty where nothing may go now
     */
    List<Item> take(long now) {
        wake(now);
        tableBucket.rate(table.rate(now), now);
        List<Item> batch = new ArrayList<>(MAX_BATCH_ITEMS);
        int batchBytes = 0;
        int passedBy = 0;
        while (batch.size() < MAX_BATCH_ITEMS
                && passedBy < open.size()
                && given.isOpen(now)
                && tableBucket.isOpen(now)) {
            Lane lane = open.pollFirst();
            Item item = lane.items.peekFirst();
            if (!lane.isOpen(rate(lane, now), now)) {
                lane.state = Lane.State.RESTING;
                resting.add(lane);
                openItems -= lane.items.size();
            } else if (holdsKeyOf(batch, item)
                    || (!batch.isEmpty() && batchBytes + item.json().length > MAX_BATCH_BYTES)) {
                open.addLast(lane);
                passedBy++;
            } else {
                batch.add(item);
                batchBytes += item.json().length;
                lane.items.removeFirst();
                lane.take(item);
                given.take(item.units());
                tableBucket.take(item.units());
                size--;
                openItems--;
                bytes -= item.json().length;
                if (lane.items.isEmpty()) {
                    lane.state = Lane.State.EMPTY;
                } else {
                    open.addLast(lane);
                }
                passedBy = 0;
            }
        }
        return batch;
    }

    private static boolean holdsKeyOf(List<Item> batch, Item item) {
        for (Item other : batch) {
            if (other.hasKeyOf(item)) {
                return true;
            }
        }
        return false;
    }

    private double rate(Lane lane, long now) {
        if (lane.limit.isKnown()) {
            return lane.limit.rate(now);
        }
        return isTypicalKnown(now) ? typical * LearnedRate.growth(now - typicalAt) : Double.POSITIVE_INFINITY;
    }

    private boolean isTypicalKnown(long now) {
        return typicalAt != 0 && now - typicalAt <= TYPICAL_NANOS && typical >= TYPICAL_SHARE * table.recentRate(now);
    }

    /**
     * Takes note of an answer; what was refused waits again.
     *
     * @param refused the items of the batch that were refused for want of capacity
     * @param tableIsFull whether DynamoDB said that it is the table that is full
     */
    void answered(List<Item> batch, Set<Item> refused, boolean tableIsFull, long now) {
        fade(now);
        sent += batch.size();
        wholeRefusals = refused.size() == batch.size() ? wholeRefusals + 1 : 0;
        if (wholeRefusals > 0
                && wholeRefusals < WHOLE_REFUSALS_THAT_COUNT
                && !batch.stream().allMatch(item -> lane(item).isKnownFull(now))) {
            refused.forEach(this::giveBack);
            return;
        }
        long lanesRefused = refused.stream().map(this::lane).distinct().count();
        boolean isTail = lanesRefused > 1;
        boolean anyRefused = false;
        for (Item item : batch) {
            boolean isRefused = refused.contains(item);
            isTail &= isRefused || !anyRefused;
            anyRefused |= isRefused;
            if (!isRefused) {
                Lane lane = lane(item);
                lane.wasRefused = false;
                lane.limit.accepted(item.units(), now);
                table.accepted(item.units(), now);
            }
        }
        double before = fullTable;
        boolean isLongTail = isTail && lanesRefused >= MANY_LANES;
        for (Item item : refused) {
            giveBack(item);
            Lane lane = lane(item);
            lane.wasRefusedInPart |= refused.size() < batch.size();
            if (!tableIsFull) {
                fullTable += isLongTail || isTail && !lane.wasRefused && !lane.limit.isNear(now) ? 1 : 0;
                slowDown(lane, now);
            }
        }
        double share = table.isNear(now) ? FULL_SHARE_AGAIN : FULL_SHARE;
        if (tableIsFull || fullTable > before && fullTable > Math.max(2, share * sent)) {
            table.refused(LEAST_RATE, now);
        }
    }

    private void slowDown(Lane lane, long now) {
        lane.wasRefused = true;
        lane.drain();
        boolean isMeasured = lane.limit.refused(Math.max(LEAST_RATE, LEAST_SHARE * table.recentRate(now)), now);
        double estimate = lane.limit.estimate();
        if (isMeasured && estimate > LEAST_RATE && (estimate >= typical || !isTypicalKnown(now))) {
            typical = estimate;
            typicalAt = now;
        }
    }

    private void fade(long now) {
        if (now - fadedAt > 100_000_000L) {
            double kept = Math.exp(-(now - fadedAt) / 1e9);
            sent *= kept;
            fullTable *= kept;
            fadedAt = now;
        }
    }

    /** Everything that waits, in no order. */
    List<Item> items() {
        List<Item> all = new ArrayList<>(size);
        for (Lane lane : lanes) {
            if (lane != null) {
                all.addAll(lane.items);
            }
        }
        return all;
    }
}
