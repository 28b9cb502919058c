package io.lindorm.flink.dynamodb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import io.lindorm.flink.dynamodb.BatchAnswers.ErrorDocument;
import io.lindorm.flink.dynamodb.ServiceErrors.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.http.SdkHttpFullResponse;

/** DynamoDB's errors: those that pass are tried again, those of an item are the item's, the others end the job. */
@Timeout(60)
class ServiceErrorsTest {

    private static final Map<String, Kind> OF_THE_MODEL = Map.of(
            "InternalServerError", Kind.PASSING,
            "ItemCollectionSizeLimitExceededException", Kind.ITEM,
            "ProvisionedThroughputExceededException", Kind.THROTTLED,
            "ReplicatedWriteConflictException", Kind.PASSING,
            "RequestLimitExceeded", Kind.THROTTLED,
            "ResourceNotFoundException", Kind.LASTING,
            "ThrottlingException", Kind.THROTTLED);

    private FakeDynamoDb dynamoDb;
    private ItemWriter writer;
    private final CompletableFuture<Throwable> failure = new CompletableFuture<>();

    @BeforeEach
    void start() throws IOException {
        dynamoDb = new FakeDynamoDb();
        writer = new ItemWriter(
                BatchWrite.to(dynamoDb.target(), 4), failure::complete, 0, List.of(), Duration.ofSeconds(20));
    }

    @AfterEach
    void stop() {
        writer.close();
        dynamoDb.close();
    }

    /** Tests of Python compare this file with the API's model. */
    static Stream<JsonNode> model() throws IOException {
        JsonNode errors =
                new ObjectMapper().readTree(ServiceErrorsTest.class.getResource("/batch-write-item-errors.json"));
        return StreamSupport.stream(errors.spliterator(), false);
    }

    private static String date(Duration ahead) {
        return DateTimeFormatter.RFC_1123_DATE_TIME.format(
                Instant.now().plus(ahead).atOffset(ZoneOffset.UTC));
    }

    private static Kind kind(String code, int status, Duration serverAhead) {
        Instant now = Instant.now();
        SdkHttpFullResponse head = SdkHttpFullResponse.builder()
                .statusCode(status)
                .putHeader("Date", date(serverAhead))
                .build();
        return ServiceErrors.kind(new ErrorDocument(code, "", new ObjectMapper().createObjectNode()), head, now);
    }

    @ParameterizedTest
    @MethodSource("model")
    void eachErrorOfTheModelHasItsKind(JsonNode error) {
        String name = error.get("name").textValue();
        assertTrue(OF_THE_MODEL.containsKey(name), "new in the model: " + name);
        // Where the model has no status, DynamoDB's guide to errors has 400 or 500; the kind is the same with both.
        assertEquals(OF_THE_MODEL.get(name), kind(name, name.equals("InternalServerError") ? 500 : 400, Duration.ZERO));
        if (error.get("retryable").booleanValue()) {
            assertEquals(Kind.PASSING, kind(name, 409, Duration.ZERO));
        }
    }

    @ParameterizedTest
    @MethodSource("model")
    void eachErrorOfTheModelIsTriedAgainOrTold(JsonNode error) throws Exception {
        String name = error.get("name").textValue();
        FakeDynamoDb.Fault fault = new FakeDynamoDb.Fault(name.startsWith("Replicated") ? 409 : 400, name, false);
        dynamoDb.fail(fault, fault);
        writer.start("test", null, ItemWriterTest.ALONE);
        if (OF_THE_MODEL.get(name) == Kind.LASTING) {
            writer.write(ItemWriterTest.item("p", 1, "", 1));
            assertTrue(
                    ExceptionUtils.findThrowable(failure.get(), UserError.class).isPresent(),
                    failure.get().toString());
            return;
        }
        writeAndDrain(200);
        // Two batches of one item each get the errors, where that is how the writer begins.
        int invalid = writer.takeInvalid().size();
        assertTrue(invalid <= (OF_THE_MODEL.get(name) == Kind.ITEM ? 2 : 0), invalid + " invalid");
        assertEquals(200, writer.written() + invalid);
        assertEquals(writer.written(), dynamoDb.items().size());
    }

    private void writeAndDrain(int items) throws Exception {
        for (int i = 0; i < items; i++) {
            writer.write(ItemWriterTest.item("p" + i, i, "", 1));
        }
        writer.drain();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "InternalServerError", "InternalError", "InternalFailure", "ServiceUnavailable",
                        "TransactionInProgressException",
                "RequestTimeout", "RequestTimeoutException", "SlowDown", "PriorRequestNotComplete",
                        "TooManyRequestsException",
                "BandwidthLimitExceeded", "RequestThrottled", "RequestThrottledException", "ThrottledException",
                        "Throttling",
                "EC2ThrottledException", "ExpiredTokenException"
            })
    void whatTheSdksTryAgainIsTriedAgain(String code) throws Exception {
        FakeDynamoDb.Fault fault = new FakeDynamoDb.Fault(400, code, false);
        dynamoDb.fail(fault, fault, fault);
        writer.start("test", null, ItemWriterTest.ALONE);
        writeAndDrain(200);
        assertEquals(200, writer.written());
        assertFalse(failure.isDone());
    }

    @ParameterizedTest
    @CsvSource({
        "RequestTimeTooSkewed, 0, SKEWED",
        "RequestExpired, 0, SKEWED",
        "RequestInTheFuture, 0, SKEWED",
        "InvalidSignatureException, 0, LASTING",
        "InvalidSignatureException, 3600, SKEWED",
        "InvalidSignatureException, -3600, SKEWED",
        "SignatureDoesNotMatch, 400, SKEWED",
        "AuthFailure, 400, SKEWED",
        "AccessDeniedException, 0, LASTING",
        "UnrecognizedClientException, 0, LASTING",
        "ValidationException, 0, ITEM",
        "SerializationException, 0, ITEM",
        "MissingAuthenticationTokenException, 0, LASTING",
        "NobodyKnowsException, 0, LASTING"
    })
    void whetherAClockIsWrongTheDateSays(String code, int secondsAhead, Kind kind) {
        assertEquals(kind, kind(code, 400, Duration.ofSeconds(secondsAhead)));
    }

    @ParameterizedTest
    @CsvSource({
        "InvalidSignatureException, 7200",
        "InvalidSignatureException, -7200",
        "RequestTimeTooSkewed, 7200",
        "RequestExpired, -90000"
    })
    void aWrongClockIsCorrectedByTheDateOfTheAnswer(String code, int secondsAhead) throws Exception {
        dynamoDb.clock(Duration.ofSeconds(secondsAhead), code);
        try (Wire wire = new Wire(dynamoDb.port(), request -> exchange -> {
            String answer = new String(exchange.forward(), StandardCharsets.UTF_8);
            exchange.reply(
                    Wire.bytes(answer.replaceFirst("Date: .*", "Date: " + date(Duration.ofSeconds(secondsAhead)))));
        })) {
            Target target = new Target("us-west-2", wire.url(), "t", "p", "s");
            writer = new ItemWriter(BatchWrite.to(target, 4), failure::complete, 0, List.of(), Duration.ofSeconds(20));
            writer.start("test", null, ItemWriterTest.ALONE);
            writeAndDrain(500);
            assertEquals(500, writer.written());
            assertEquals(500, dynamoDb.items().size());
            // Those that were on their way before the first answer, and the 20 batches.
            assertTrue(wire.requests() < 40, wire.requests() + " requests");
        }
    }

    @Test
    void aSignatureThatIsWrongWithTheRightTimeTooEndsTheJob() throws Exception {
        FakeDynamoDb.Fault fault = new FakeDynamoDb.Fault(400, "InvalidSignatureException", false);
        dynamoDb.fail(fault, fault, fault, fault, fault);
        writer.start("test", null, ItemWriterTest.ALONE);
        writer.write(ItemWriterTest.item("p", 1, "", 1));
        String told = ExceptionUtils.findThrowable(failure.get(), UserError.class)
                .orElseThrow()
                .getMessage();
        assertTrue(told.contains("InvalidSignatureException"), told);
    }
}
