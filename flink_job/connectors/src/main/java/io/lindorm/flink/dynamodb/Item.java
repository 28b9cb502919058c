package io.lindorm.flink.dynamodb;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One item, ready to be put: DynamoDB's JSON of it, as UTF-8, and where in it the key is. Nobody changes it once
 * it is made. Values of keys are in a canonical form, so equal keys are equal bytes.
 */
public final class Item {

    private final byte[] json;
    private final int partitionAt;
    private final int partitionEnd;
    private final int sortAt;
    private final int sortEnd;
    private final int units;
    private final int partitionHash;
    private final int keyHash;

    /**
     * @param json the item as DynamoDB's JSON, {@code {"device":{"S":"d"},…}}
     * @param partitionAt where the partition key's value begins, {@code {"S":"d"}}
     * @param partitionEnd where it ends
     * @param sortAt where the sort key's value begins; 0 where there is none
     * @param sortEnd where it ends
     * @param units what writing it costs, in write units
     */
    public Item(byte[] json, int partitionAt, int partitionEnd, int sortAt, int sortEnd, int units) {
        this.json = json;
        this.partitionAt = partitionAt;
        this.partitionEnd = partitionEnd;
        this.sortAt = sortAt;
        this.sortEnd = sortEnd;
        this.units = units;
        this.partitionHash = hash(0, partitionAt, partitionEnd);
        this.keyHash = hash(partitionHash, sortAt, sortEnd);
    }

    private int hash(int start, int from, int to) {
        int hash = start;
        for (int i = from; i < to; i++) {
            hash = 31 * hash + json[i];
        }
        return hash;
    }

    /** The item as DynamoDB's JSON. Not a copy. */
    public byte[] json() {
        return json;
    }

    /** What writing it costs, in write units. */
    public int units() {
        return units;
    }

    /** The partition key's value as DynamoDB's JSON. */
    byte[] partitionKey() {
        return Arrays.copyOfRange(json, partitionAt, partitionEnd);
    }

    /** The sort key's value as DynamoDB's JSON; empty where the table has none. */
    byte[] sortKey() {
        return Arrays.copyOfRange(json, sortAt, sortEnd);
    }

    /** Both, as they are shown. */
    String keyText() {
        return (new String(partitionKey(), StandardCharsets.UTF_8) + " "
                        + new String(sortKey(), StandardCharsets.UTF_8))
                .strip();
    }

    int partitionHash() {
        return partitionHash;
    }

    /** Whether both would be the same item of the table. */
    boolean hasKeyOf(Item other) {
        return keyHash == other.keyHash
                && Arrays.equals(json, partitionAt, partitionEnd, other.json, other.partitionAt, other.partitionEnd)
                && Arrays.equals(json, sortAt, sortEnd, other.json, other.sortAt, other.sortEnd);
    }

    /** The item's form in checkpoints. */
    public void write(DataOutput out) throws IOException {
        out.writeInt(json.length);
        out.write(json);
        out.writeInt(partitionAt);
        out.writeInt(partitionEnd);
        out.writeInt(sortAt);
        out.writeInt(sortEnd);
        out.writeInt(units);
    }

    /** Reads what {@link #write} wrote. */
    public static Item read(DataInput in) throws IOException {
        byte[] json = new byte[in.readInt()];
        in.readFully(json);
        return new Item(json, in.readInt(), in.readInt(), in.readInt(), in.readInt(), in.readInt());
    }
}
