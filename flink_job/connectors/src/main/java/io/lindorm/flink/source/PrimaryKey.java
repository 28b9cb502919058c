package io.lindorm.flink.source;

import java.io.Serializable;
import java.util.List;

/**
 * The columns of a table's primary key, and with them the order of its rows.
 *
 * @param columns in the key's order; none where the server names none
 */
record PrimaryKey(List<KeyColumn> columns) implements Serializable {

    static PrimaryKey of(KeyColumn... columns) {
        return new PrimaryKey(List.of(columns));
    }

    int size() {
        return columns.size();
    }

    /** The column at a place in the key. */
    KeyColumn get(int at) {
        return columns.get(at);
    }

    /** Compares two keys in the table's order. One that has only the first columns is before all that begin with it. */
    int compare(Key a, Key b) {
        for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
            int order = compare(i, a, b);
            if (order != 0) {
                return order;
            }
        }
        return Integer.compare(a.size(), b.size());
    }

    private int compare(int column, Key a, Key b) {
        return columns.get(column).compare(a.get(column), b.get(column));
    }

    /** The first column in which two keys differ; the last that both have, where they do not. */
    int firstDifference(Key a, Key b) {
        int last = Math.min(a.size(), b.size()) - 1;
        int at = 0;
        while (at < last && compare(at, a, b) == 0) {
            at++;
        }
        return at;
    }

    /** Whether two whole keys are one. */
    boolean isSame(Key a, Key b) {
        return a.size() == b.size() && compare(a, b) == 0;
    }

    /** The beginning of {@code key} that is as long as it takes to tell it from another. */
    Key shortest(Key key, Key other) {
        return key.prefix(firstDifference(key, other) + 1);
    }

    /**
     * The key that shares the columns before {@code at} with {@code from} and lies so far on the way to {@code to} in that
     * column; always after {@code from}, if only as {@code to} itself.
     *
     * @param numerator more than the denominator for a key beyond {@code to}
     */
    Key between(Key from, Key to, int at, long numerator, long denominator) {
        KeyColumn column = columns.get(at);
        Object value = column.keyType().at(from.get(at), to.get(at), numerator, denominator);
        return from.with(at, column.compare(value, from.get(at)) > 0 ? value : to.get(at));
    }

    /**
     * A key, or null, out of a checkpoint with values of the classes that they have today: a job of an earlier version may
     * have held them otherwise.
     *
     * @throws IllegalArgumentException for values that are none of these columns
     */
    Key typed(Key stored) {
        if (stored == null) {
            return null;
        }
        Object[] values = new Object[stored.size()];
        for (int i = 0; i < values.length; i++) {
            KeyColumn column = columns.get(i);
            values[i] = column.keyType().typed(stored.get(i), column.type());
        }
        return Key.of(values);
    }
}
