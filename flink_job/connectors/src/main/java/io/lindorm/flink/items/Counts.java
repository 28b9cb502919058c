package io.lindorm.flink.items;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** How many rows came, and what became of them. */
final class Counts {

    private long rowsRead;
    private long itemsEmitted;
    private final long[] rejected = new long[RejectReason.values().length];

    void addItem() {
        rowsRead++;
        itemsEmitted++;
    }

    void addReject(RejectReason reason) {
        rowsRead++;
        rejected[reason.ordinal()]++;
    }

    /** What was counted as an item is a reject after all. */
    void itemIsReject(RejectReason reason) {
        itemsEmitted--;
        rejected[reason.ordinal()]++;
    }

    long rowsRead() {
        return rowsRead;
    }

    long itemsEmitted() {
        return itemsEmitted;
    }

    long rowsRejected() {
        long sum = 0;
        for (long count : rejected) {
            sum += count;
        }
        return sum;
    }

    /** Counts by reason, without those that are zero. */
    Map<RejectReason, Long> rejectedByReason() {
        Map<RejectReason, Long> counts = new LinkedHashMap<>();
        for (RejectReason reason : RejectReason.values()) {
            if (rejected[reason.ordinal()] > 0) {
                counts.put(reason, rejected[reason.ordinal()]);
            }
        }
        return counts;
    }

    /** The counts as numbers, for state and network: rows, items, then rejects in the order of reasons. */
    long[] toArray() {
        long[] array = new long[2 + rejected.length];
        array[0] = rowsRead;
        array[1] = itemsEmitted;
        System.arraycopy(rejected, 0, array, 2, rejected.length);
        return array;
    }

    /** Adds what {@link #toArray} gave; an older array may lack the newest reasons. */
    void add(long[] array) {
        rowsRead += array[0];
        itemsEmitted += array[1];
        for (int i = 2; i < array.length; i++) {
            rejected[i - 2] += array[i];
        }
    }

    /** Their form in checkpoints. */
    void write(DataOutput out) throws IOException {
        long[] array = toArray();
        out.writeInt(array.length);
        for (long count : array) {
            out.writeLong(count);
        }
    }

    /** Adds what {@link #write} wrote. */
    void add(DataInput in) throws IOException {
        long[] array = new long[in.readInt()];
        for (int i = 0; i < array.length; i++) {
            array[i] = in.readLong();
        }
        add(array);
    }
}
