package io.lindorm.flink.dynamodb;

import io.lindorm.flink.UserError;

import java.nio.charset.StandardCharsets;

/** DynamoDB's own word that a request is wrong, which no retry mends. */
final class DynamoDbException extends Exception {

    private static final long serialVersionUID = 1L;

    private final String code;

    /**
     * @param code the exception's name, such as {@code ValidationException}
     * @param message DynamoDB's words
     */
    DynamoDbException(String code, String message) {
        super(message);
        this.code = code;
    }

    String code() {
        return code;
    }

    /**
     * The same in the user's words.
     *
     * @param item what was sent; meant where the item itself is wrong
     */
    RuntimeException forUser(Item item) {
        String what;
        switch (code) {
            case "AccessDeniedException":
                what = "DynamoDB does not let the job write: " + getMessage()
                        + ". The job's role needs dynamodb:BatchWriteItem on the table";
                break;
            case "ResourceNotFoundException":
                what = "DynamoDB does not know the table: " + getMessage()
                        + ". Is it there, in this region, and active?";
                break;
            case "ValidationException":
                what = "DynamoDB does not take the item with the key "
                        + new String(item.partitionKey(), StandardCharsets.UTF_8) + " "
                        + new String(item.sortKey(), StandardCharsets.UTF_8) + ": " + getMessage();
                break;
            default:
                what = "DynamoDB refuses to write: " + code + ": " + getMessage();
        }
        return new UserError(what, this).endingTheJob();
    }
}
