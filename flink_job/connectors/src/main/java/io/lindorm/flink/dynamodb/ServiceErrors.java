package io.lindorm.flink.dynamodb;

import io.lindorm.flink.dynamodb.BatchAnswers.ErrorDocument;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.awscore.retry.AwsRetryPolicy;
import software.amazon.awssdk.core.retry.RetryPolicyContext;
import software.amazon.awssdk.core.retry.conditions.RetryCondition;
import software.amazon.awssdk.http.SdkHttpResponse;

/**
 * What an error of DynamoDB's means. Which errors pass, and which tell of a wrong clock, AWS's SDK knows; what it takes
 * from each service's model is here, and a test compares it with the model.
 */
final class ServiceErrors {

    /** What an error means for the batch that got it. */
    enum Kind {
        /** No capacity for any of it. */
        THROTTLED,
        /** Signed with a clock that is wrong. */
        SKEWED,
        /** Passes. */
        PASSING,
        /** Something of its content is wrong, so of one item at least. */
        ITEM,
        /** No retry mends it. */
        LASTING
    }

    private static final Set<String> CAPACITY =
            Set.of("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded");

    /**
     * Of DynamoDB's model, the ones that are marked retryable; the names of server errors, whatever the status; and
     * expired tokens, which the provider of credentials renews by itself.
     */
    private static final Set<String> ALSO_PASSING = Set.of(
            "ReplicatedWriteConflictException",
            "InternalServerError",
            "InternalFailure",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "TransactionInProgress",
            "ExpiredTokenException",
            "ExpiredToken");

    private static final Set<String> OF_AN_ITEM =
            Set.of("ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException");

    private static final RetryCondition SDK = AwsRetryPolicy.defaultRetryCondition();
    private static final int FIRST_SERVER_STATUS = 500;
    private static final int REQUEST_TIMEOUT_STATUS = 408;

    private ServiceErrors() {}

    /**
     * @param signedAt the time in the request's signature
     */
    static Kind kind(ErrorDocument error, SdkHttpResponse head, Instant signedAt) {
        if (CAPACITY.contains(error.code())) {
            return Kind.THROTTLED;
        }
        // The SDK takes what it corrects its clock by, and knows from that what time the request was signed with.
        AwsServiceException exception = (AwsServiceException) AwsServiceException.builder()
                .clockSkew(Duration.between(signedAt, Instant.now()))
                .statusCode(head.statusCode())
                .awsErrorDetails(AwsErrorDetails.builder()
                        .errorCode(error.code())
                        .errorMessage(error.message())
                        .sdkHttpResponse(head)
                        .build())
                .build();
        if (OF_AN_ITEM.contains(error.code())) {
            return Kind.ITEM;
        }
        if (exception.isClockSkewException()) {
            return Kind.SKEWED;
        }
        boolean isPassing = ALSO_PASSING.contains(error.code())
                || head.statusCode() >= FIRST_SERVER_STATUS
                || head.statusCode() == REQUEST_TIMEOUT_STATUS
                || SDK.shouldRetry(
                        RetryPolicyContext.builder().exception(exception).build());
        return isPassing ? Kind.PASSING : Kind.LASTING;
    }
}
