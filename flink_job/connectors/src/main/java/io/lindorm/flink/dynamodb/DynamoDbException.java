package io.lindorm.flink.dynamodb;

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
}
