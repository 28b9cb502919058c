/**
 * Files of items that DynamoDB loads itself (ImportTable, StartBulkPutItems): one object at a time, all that are
 * published, and their manifest. docs/contracts.md, "The files of a load", says what they look like.
 */
package io.lindorm.flink.files;
