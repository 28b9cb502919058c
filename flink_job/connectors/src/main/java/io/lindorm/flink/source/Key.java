package io.lindorm.flink.source;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.io.Serializable;
import java.util.Arrays;

/**
 * A key, or its first columns, as values in the key's order. The {@link PrimaryKey} that it is of says what is before
 * what; {@link KeyType} says of which class the values of a column are.
 */
final class Key implements Serializable {

    private static final long serialVersionUID = 1L;

    private final Object[] values;

    private Key(Object[] values) {
        this.values = values;
    }

    /** A key of these values, one for each of the first columns. */
    static Key of(Object... values) {
        return new Key(values.clone());
    }

    /** How many columns it has values of. */
    int size() {
        return values.length;
    }

    /** The value of a column, by its place in the key. */
    Object get(int column) {
        return values[column];
    }

    /** The key's first columns. */
    Key prefix(int columns) {
        return new Key(Arrays.copyOf(values, columns));
    }

    /** The columns before one, and another value of that. */
    Key with(int column, Object value) {
        Object[] changed = Arrays.copyOf(values, column + 1);
        changed[column] = value;
        return new Key(changed);
    }

    /** Writes a key, or null, as checkpoints hold it: the values without their columns. */
    static void write(Key key, DataOutput out) throws IOException {
        out.writeInt(key == null ? -1 : key.values.length);
        if (key != null) {
            for (Object value : key.values) {
                StoredValue.write(value, out);
            }
        }
    }

    /** Reads what {@link #write} wrote; {@link PrimaryKey#typed} makes of it a key of today's classes. */
    static Key read(DataInput in) throws IOException {
        int size = in.readInt();
        if (size < 0) {
            return null;
        }
        Object[] values = new Object[size];
        for (int i = 0; i < size; i++) {
            values[i] = StoredValue.read(in);
        }
        return new Key(values);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Key key && Arrays.deepEquals(values, key.values);
    }

    @Override
    public int hashCode() {
        return Arrays.deepHashCode(values);
    }

    @Override
    public String toString() {
        return Arrays.deepToString(values);
    }
}
