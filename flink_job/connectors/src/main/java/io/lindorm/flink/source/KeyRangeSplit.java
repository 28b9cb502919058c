package io.lindorm.flink.source;

import java.io.Serializable;
import org.apache.flink.api.connector.source.SourceSplit;

/**
 * A range of the primary key and how far it has been read.
 *
 * <p>Bounds are in the table's own order: "first" means first in that order, whatever the direction of the columns. A
 * bound may name only the first columns of the key.
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
record KeyRangeSplit(String splitId, Kind kind, PrimaryKey key, Key lower, Key upper, Key lastKey, long rowsRead)
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
    static KeyRangeSplit of(String splitId, PrimaryKey key, Key lower, Key upper) {
        return new KeyRangeSplit(splitId, Kind.OPEN, key, lower, upper, null, 0);
    }

    /** The rows of splits that have been read to their end. */
    static KeyRangeSplit count(String splitId, long rowsRead) {
        return new KeyRangeSplit(splitId, Kind.COUNT, PrimaryKey.of(), null, null, null, rowsRead);
    }

    /** The same range, read as far as {@code newLastKey}. */
    KeyRangeSplit readTo(Key newLastKey, long newRowsRead) {
        return new KeyRangeSplit(splitId, kind, key, lower, upper, newLastKey, newRowsRead);
    }

    /** What is left of the range, less the rows before {@code tuple}. */
    KeyRangeSplit from(Key tuple) {
        return new KeyRangeSplit(splitId, kind, key, tuple, upper, null, rowsRead);
    }

    /** The same range, without the rows from {@code tuple} on. */
    KeyRangeSplit until(Key tuple) {
        return new KeyRangeSplit(splitId, kind, key, lower, tuple, lastKey, rowsRead);
    }

    /** The same range as a checkpoint holds it, with keys as they are held today: {@link PrimaryKey#typed}. */
    KeyRangeSplit typed() {
        return new KeyRangeSplit(splitId, kind, key, key.typed(lower), key.typed(upper), key.typed(lastKey), rowsRead);
    }

    /** The same range as another kind. */
    KeyRangeSplit as(Kind newKind) {
        return new KeyRangeSplit(splitId, newKind, key, lower, upper, lastKey, rowsRead);
    }
}
