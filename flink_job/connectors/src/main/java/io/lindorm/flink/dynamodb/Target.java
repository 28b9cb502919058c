package io.lindorm.flink.dynamodb;

/**
 * The table that is written.
 *
 * @param region its region, which requests are signed for
 * @param endpoint DynamoDB's address, or null for AWS's own of the region
 * @param table its name or ARN
 * @param partitionName the partition key's attribute
 * @param sortName the sort key's attribute, or null where there is none
 */
public record Target(String region, String endpoint, String table, String partitionName, String sortName) {}
