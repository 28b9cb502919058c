package io.lindorm.flink.source;

import java.io.Serializable;
import org.apache.flink.table.types.logical.RowType;

/**
 * What a query wants of each row.
 *
 * @param columns the columns, with the types that they are declared with
 * @param unreadable whether it wants to be told, after the columns, of a value that cannot be read: the reason for which
 *     the sink rejects the row, a colon and a sentence; such a value itself is NULL. Else such a value ends the scan
 */
record Wanted(RowType columns, boolean unreadable) implements Serializable {}
