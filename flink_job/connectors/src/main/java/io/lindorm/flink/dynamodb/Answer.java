package io.lindorm.flink.dynamodb;

import java.util.List;

/**
 * What became of a batch that DynamoDB answered.
 *
 * @param refused the items that were not written, for want of capacity
 * @param tableIsFull whether DynamoDB says that the table, and not a partition, is full
 * @param units what was consumed, in write units
 */
record Answer(List<Item> refused, boolean tableIsFull, double units) {}
