package io.lindorm.flink.source;

import java.io.Serializable;

/**
 * One column of a Lindorm primary key.
 *
 * @param name the column's name, as Lindorm spells it
 * @param type the column's type, as {@code DESCRIBE} says it
 * @param descending true where the table keeps the column's values from great to small
 */
record KeyColumn(String name, String type, boolean descending) implements Serializable {}
