package io.lindorm.flink.dynamodb;

import io.lindorm.flink.UserError;
import java.util.regex.Pattern;

/** DynamoDB's own word that a request is wrong, which no retry mends. */
final class DynamoDbException extends Exception {

    private static final long serialVersionUID = 1L;

    /** Words of a ValidationException that are about the table's own key, which every item has alike. */
    private static final Pattern ABOUT_THE_TABLE = Pattern.compile(
            "does not match the schema|Missing the key|required keys was not given|Type mismatch for key ");

    private final String code;
    private final boolean isAboutContent;

    /**
     * @param code the exception's name, such as {@code ValidationException}
     * @param message DynamoDB's words
     * @param isAboutContent whether it may be an item's content that is wrong
     */
    DynamoDbException(String code, String message, boolean isAboutContent) {
        super(message);
        this.code = code;
        this.isAboutContent = isAboutContent;
    }

    /** Whether the request may be right without one of its items. */
    boolean isOfAnItem() {
        return isAboutContent
                && !ABOUT_THE_TABLE.matcher(String.valueOf(getMessage())).find();
    }

    /** DynamoDB's words, with the exception's name. */
    String words() {
        return code + ": " + getMessage();
    }

    /** The same in the user's words, to end the job. */
    RuntimeException forUser() {
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
                what = "DynamoDB does not take the job's items: " + getMessage()
                        + ". Is the table the one that the import was made for?";
                break;
            default:
                what = "DynamoDB refuses to write: " + words();
        }
        return new UserError(what, this).endingTheJob();
    }
}
