package io.lindorm.flink.source;

import java.io.Serializable;

/**
 * One column of a Lindorm primary key.
 *
 * @param name the column's name, as Lindorm spells it
 * @param type the column's type, as {@code DESCRIBE} says it
 * @param descending true where the table keeps the column's values from great to small
 */
record KeyColumn(String name, String type, boolean descending) implements Serializable {

    /**
     * What the scan must know of the column's type.
     *
     * @throws IllegalArgumentException for a type that no key has
     */
    KeyType<Object> keyType() {
        return KeyType.of(type);
    }

    /** Compares two values of the column in the table's order. */
    int compare(Object a, Object b) {
        int order = keyType().compare(a, b);
        return descending ? -order : order;
    }
}
