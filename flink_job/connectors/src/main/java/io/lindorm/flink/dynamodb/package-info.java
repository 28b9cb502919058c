/**
 * Writes items to DynamoDB: fast, at the rate that is allowed, and none is forgotten.
 *
 * <p>{@link io.lindorm.flink.dynamodb.ItemWriter} is the way in. It holds items by partition key ({@code
 * Lanes}), takes batches that spread over them, sends these with several requests in flight ({@code
 * BatchWrite}), keeps to the given rate ({@code io.lindorm.flink.rate}), and learns what DynamoDB takes where
 * it refuses ({@code LearnedRate}).
 */
package io.lindorm.flink.dynamodb;
