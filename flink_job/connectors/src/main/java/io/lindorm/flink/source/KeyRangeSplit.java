package io.lindorm.flink.source;

import org.apache.flink.api.connector.source.SourceSplit;

import java.util.List;

/**
 * A range of the primary key and how far it has been read.
 *
 * <p>Bounds and key are tuples of key values, in the table's own order: "first" means first in that
 * order, whatever the direction of the columns. A bound may name only the first columns of the key.
 * Values are of the classes that {@link KeyValues} lists.
 *
 * @param splitId the split's name, unique within one scan
 * @param key the primary key; the same for every split of a scan, and kept here so that whoever holds
 *     a split can read it without asking the server
 * @param lower rows before this tuple are not in the split; never null, because Lindorm refuses a
 *     query without a condition on the first key column
 * @param upper rows from this tuple on are not in the split; null for no bound
 * @param lastKey the whole key of the last row handed on, or null before the first
 * @param rowsRead rows handed on
 */
record KeyRangeSplit(
        String splitId,
        List<KeyColumn> key,
        List<Object> lower,
        List<Object> upper,
        List<Object> lastKey,
        long rowsRead)
        implements SourceSplit {

    /** The same range, read as far as {@code lastKey}. */
    KeyRangeSplit readTo(List<Object> newLastKey, long newRowsRead) {
        return new KeyRangeSplit(splitId, key, lower, upper, newLastKey, newRowsRead);
    }
}
