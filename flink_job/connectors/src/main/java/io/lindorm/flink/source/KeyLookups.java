package io.lindorm.flink.source;

import java.io.IOException;

/**
 * Point queries for keys in what is left of a range. They see all rows that the scan's time range admits
 * where that is on the first key column, and otherwise all rows; never its filter, which could make them slow.
 */
interface KeyLookups {

    /** The key that so many rows lie before, counted from the beginning of what is left; null if there is none. */
    Key nth(KeyRangeSplit range, int rowsBefore) throws IOException;

    /**
     * The last key.
     *
     * @return the key, or null for an empty range
     * @throws UnsupportedOperationException where the server does not read backwards
     */
    Key last(KeyRangeSplit range) throws IOException;

    /** The first key; null for an empty range. */
    default Key first(KeyRangeSplit range) throws IOException {
        return nth(range, 0);
    }
}
