package io.lindorm.flink.source;

import java.util.List;
import java.util.Map;

/**
 * What the server says of a table.
 *
 * @param columns every column's name and type, as the server spells them
 * @param key the primary key, in its order; empty where the server names none
 */
record TableDescription(Map<String, String> columns, List<KeyColumn> key) {}
