package io.lindorm.flink.source;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.api.connector.source.SourceSplit;

/**
 * A range of the primary key and how far it has been read.
 *
 * <p>Bounds and key are tuples of key values, in the table's own order: "first" means first in that
 * order, whatever the direction of the columns. A bound may name only the first columns of the key.
 * Values are of the classes that {@link KeyType} lists.
 *
 * @param splitId the split's name, unique within one scan
 * @param kind what the split is to the reader that holds it
 * @param key the primary key; the same for every split of a scan, and kept here so that whoever holds
 *     a split can read it without asking the server
 * @param lower rows before this tuple are not in the split. Null only where a key is looked for in the
 *     whole table: Lindorm refuses to read without a condition on the first key column
 * @param upper rows from this tuple on are not in the split; null for no bound
 * @param lastKey the whole key of the last row handed on, or null before the first
 * @param rowsRead rows handed on
 */
record KeyRangeSplit(
        String splitId,
        Kind kind,
        List<KeyColumn> key,
        List<Object> lower,
        List<Object> upper,
        List<Object> lastKey,
        long rowsRead)
        implements SourceSplit, Serializable {

    /** What a split is to its reader. */
    enum Kind {
        /** To be read. */
        OPEN,
        /** Cut off by the reader and offered to the enumerator, which has not said yet that it has it. */
        OFFERED,
        /** No range: only the number of rows of what the reader has finished. */
        COUNT
    }

    /** A range that nobody has begun to read. */
    static KeyRangeSplit of(String splitId, List<KeyColumn> key, List<Object> lower, List<Object> upper) {
        return new KeyRangeSplit(splitId, Kind.OPEN, key, lower, upper, null, 0);
    }

    /** The rows of splits that have been read to their end. */
    static KeyRangeSplit count(String splitId, long rowsRead) {
        return new KeyRangeSplit(splitId, Kind.COUNT, List.of(), null, null, null, rowsRead);
    }

    /** The same range, read as far as {@code newLastKey}. */
    KeyRangeSplit readTo(List<Object> newLastKey, long newRowsRead) {
        return new KeyRangeSplit(splitId, kind, key, lower, upper, newLastKey, newRowsRead);
    }

    /** What is left of the range, less the rows before {@code tuple}. */
    KeyRangeSplit from(List<Object> tuple) {
        return new KeyRangeSplit(splitId, kind, key, tuple, upper, null, rowsRead);
    }

    /** The same range, without the rows from {@code tuple} on. */
    KeyRangeSplit until(List<Object> tuple) {
        return new KeyRangeSplit(splitId, kind, key, lower, tuple, lastKey, rowsRead);
    }

    /** The same range as another kind. */
    KeyRangeSplit as(Kind newKind) {
        return new KeyRangeSplit(splitId, newKind, key, lower, upper, lastKey, rowsRead);
    }

    /**
     * Compares two tuples in the table's order. A tuple that names only the first columns is before every
     * row that begins with it.
     */
    static int compare(List<KeyColumn> key, List<Object> a, List<Object> b) {
        for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
            int order = key.get(i).compare(a.get(i), b.get(i));
            if (order != 0) {
                return order;
            }
        }
        return Integer.compare(a.size(), b.size());
    }
}
