package io.lindorm.flink.source;

import java.util.Map;

/**
 * What the server says of a table.
 *
 * @param columns every column's name and type, as the server spells them
 * @param key the primary key, in its order; empty where the server names none
 * @param hash the hash function that the key begins with, as in {@code PRIMARY KEY (hash32(p1), p1, p2)}; null for none
 */
record TableDescription(Map<String, String> columns, PrimaryKey key, String hash) {}
