package io.lindorm.flink.dynamodb;

import static io.lindorm.flink.dynamodb.Wire.bytes;
import static io.lindorm.flink.dynamodb.Wire.crc32;
import static io.lindorm.flink.dynamodb.Wire.http;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An item is written when DynamoDB says so, and nobody else. */
@Timeout(60)
class AnswersTest {

    private static final String OK =
            "{\"UnprocessedItems\":{},\"ConsumedCapacity\":[{\"TableName\":\"t\",\"CapacityUnits\":25.0}]}";
    private static final String CAPACITY = ",\"ConsumedCapacity\":[{\"TableName\":\"t\",\"CapacityUnits\":1.0}]}";
    private static final String PUT = "{\"PutRequest\":{\"Item\":{\"p\":{\"S\":\"never sent\"},\"s\":{\"N\":\"1\"}}}}";
    private static final String HTML = "<html><body>Please sign in</body></html>";

    private static Wire.Fault says(int status, String body) {
        return exchange -> exchange.reply(http(status, "", body));
    }

    private static Wire.Fault saysAndHangsUp(String raw) {
        return exchange -> {
            exchange.reply(bytes(raw));
            exchange.hangUp();
        };
    }

    /** The first put of a request, which begins where the list of the table's does. */
    private static String firstPut(String body) {
        int start = body.indexOf("[{") + 1;
        int next = body.indexOf(",{\"PutRequest\"", start);
        return body.substring(start, next < 0 ? body.indexOf("],\"ReturnConsumedCapacity\"") : next);
    }

    /** What answers in DynamoDB's place, without having written anything. */
    enum Impostor {
        EMPTY(says(200, "")),
        NULL(says(200, "null")),
        NO_MEMBERS(says(200, "{}")),
        A_LIST(says(200, "[]")),
        A_NUMBER(says(200, "1")),
        TEXT(says(200, "OK")),
        A_PORTAL(says(200, HTML)),
        OTHER_JSON(says(200, "{\"status\":\"up\"}")),
        AN_ERROR_DOCUMENT(
                says(200, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#InternalServerError\",\"message\":\"no\"}")),
        NULL_UNPROCESSED(says(200, "{\"UnprocessedItems\":null" + CAPACITY)),
        A_LIST_UNPROCESSED(says(200, "{\"UnprocessedItems\":[]" + CAPACITY)),
        NO_CAPACITY(says(200, "{\"UnprocessedItems\":{}}")),
        EMPTY_CAPACITY(says(200, "{\"UnprocessedItems\":{},\"ConsumedCapacity\":[]}")),
        CAPACITY_OF_ANOTHER_TABLE(says(200, OK.replace("\"t\"", "\"u\""))),
        CAPACITY_AS_TEXT(says(200, OK.replace("25.0", "\"25\""))),
        CAPACITY_BELOW_ZERO(says(200, OK.replace("25.0", "-1"))),
        DOUBLED(says(200, OK + OK)),
        SOMETHING_AFTER(says(200, OK + "x")),
        MEMBERS_TWICE(says(200, "{\"UnprocessedItems\":{},\"UnprocessedItems\":{}" + CAPACITY)),
        CUT(says(200, OK.substring(0, OK.length() - 1))),
        WRONG_CHECKSUM(exchange -> exchange.reply(http(200, crc32("something else"), OK))),
        NO_CHECKSUM(exchange -> exchange.reply(http(200, "x-amz-crc32: none\r\n", OK))),
        ITEMS_OF_ANOTHER_TABLE(says(200, "{\"UnprocessedItems\":{\"u\":[]}" + CAPACITY)),
        AN_ITEM_THAT_WAS_NOT_SENT(says(200, "{\"UnprocessedItems\":{\"t\":[" + PUT + "]}" + CAPACITY)),
        A_DELETE(says(200, "{\"UnprocessedItems\":{\"t\":[{\"DeleteRequest\":{\"Key\":{}}}]}" + CAPACITY)),
        NO_NUMBER_FOR_A_KEY(
                says(200, "{\"UnprocessedItems\":{\"t\":[" + PUT.replace("\"1\"", "\"one\"") + "]}" + CAPACITY)),
        AN_ITEM_TWICE(exchange -> {
            String put = firstPut(exchange.body());
            exchange.reply(http(200, "", "{\"UnprocessedItems\":{\"t\":[" + put + "," + put + "]}" + CAPACITY));
        }),
        CREATED(says(201, OK)),
        NO_CONTENT(exchange -> exchange.reply(bytes("HTTP/1.1 204 No Content\r\n\r\n"))),
        PARTIAL(says(206, OK)),
        MOVED(exchange -> exchange.reply(http(302, "Location: http://127.0.0.1:1/login\r\n", ""))),
        MOVED_FOR_EVER(exchange -> exchange.reply(http(308, "Location: http://127.0.0.1:1/\r\n", ""))),
        NOT_MODIFIED(exchange -> exchange.reply(bytes("HTTP/1.1 304 Not Modified\r\n\r\n"))),
        BAD_REQUEST(says(400, HTML)),
        BAD_REQUEST_WITHOUT_BODY(says(400, "")),
        UNAUTHORIZED(exchange -> exchange.reply(http(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", HTML))),
        FORBIDDEN(says(403, "{\"message\":\"Forbidden\"}")),
        NOT_FOUND(says(404, HTML)),
        PROXY_AUTHENTICATION(exchange -> exchange.reply(http(407, "Proxy-Authenticate: Basic realm=\"x\"\r\n", HTML))),
        TOO_MANY(says(429, "slow down")),
        ANOTHER_SERVICES_ERROR(says(
                400, "{\"__type\":\"com.amazonaws.kinesis.v20131202#ResourceNotFoundException\",\"message\":\"no\"}")),
        AN_ERROR_WITHOUT_A_SERVICE(says(400, "{\"__type\":\"ResourceNotFoundException\",\"message\":\"no\"}")),
        A_CUT_ERROR(says(400, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\",\"mess")),
        AN_ERROR_WITH_ANOTHER_CHECKSUM(exchange -> exchange.reply(http(
                400,
                crc32("x"),
                "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\",\"message\":\"no\"}"))),
        BAD_GATEWAY(says(502, HTML)),
        GATEWAY_TIMEOUT(says(504, "")),
        LONGER_THAN_IT_CAME(saysAndHangsUp("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + OK)),
        SHORTER_THAN_IT_CAME(saysAndHangsUp("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + OK)),
        NO_LENGTH_AND_CUT(saysAndHangsUp("HTTP/1.1 200 OK\r\n\r\n" + OK.substring(0, 30))),
        A_LENGTH_BEYOND_ANY(saysAndHangsUp("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + OK)),
        A_LENGTH_THAT_IS_NONE(saysAndHangsUp("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + OK)),
        CHUNKS_CUT(saysAndHangsUp("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + Integer.toHexString(OK.length()) + "\r\n" + OK + "\r\n")),
        HEADERS_CUT(saysAndHangsUp("HTTP/1.1 200 OK\r\nContent-Le")),
        NO_HTTP(saysAndHangsUp("SSH-2.0-OpenSSH_9.2\r\n")),
        NOTHING(saysAndHangsUp("")),
        A_TEXT_THAT_NEVER_ENDS(saysAndHangsUp("HTTP/1.1 200 OK\r\n\r\n" + "x".repeat(2_000_000)));

        private final Wire.Fault fault;

        Impostor(Wire.Fault fault) {
            this.fault = fault;
        }
    }

    private FakeDynamoDb dynamoDb;
    private Wire wire;
    private ItemWriter writer;
    private final CompletableFuture<Throwable> failure = new CompletableFuture<>();

    @BeforeEach
    void start() throws IOException {
        dynamoDb = new FakeDynamoDb();
    }

    @AfterEach
    void stop() throws IOException {
        if (writer != null) {
            writer.close();
        }
        if (wire != null) {
            wire.close();
        }
        dynamoDb.close();
    }

    private void over(Wire.Script script, Duration giveUp) throws IOException {
        over(script, giveUp, Duration.ofSeconds(15), Duration.ofSeconds(30));
    }

    private void over(Wire.Script script, Duration giveUp, Duration answer, Duration whole) throws IOException {
        wire = new Wire(dynamoDb.port(), script);
        Target target = new Target("us-west-2", wire.url(), "t", "p", "s");
        writer = new ItemWriter(BatchWrite.to(target, 8, answer, whole), failure::complete, 0, List.of(), giveUp);
        writer.start("test", null, ItemWriterTest.ALONE);
    }

    private void write(int items) throws IOException, InterruptedException {
        for (int i = 0; i < items; i++) {
            writer.write(ItemWriterTest.item("p" + i % 50, i, "", 1));
        }
        writer.drain();
    }

    private void assertWritten(int items) {
        assertEquals(items, dynamoDb.items().size());
        assertEquals(items, writer.written());
    }

    @ParameterizedTest
    @EnumSource(Impostor.class)
    void whatIsNotDynamoDbsAnswerWritesNothingAndIsTriedAgain(Impostor impostor) throws Exception {
        over(request -> request % 10 == 0 && request < 40 ? impostor.fault : Wire.Fault.PASS, Duration.ofSeconds(30));
        write(1000);
        assertWritten(1000);
    }

    @ParameterizedTest
    @ValueSource(strings = {"A_PORTAL", "MOVED", "FORBIDDEN", "BAD_GATEWAY"})
    void whatAnswersForLongInDynamoDbsPlaceIsTold(String impostor) throws Exception {
        over(request -> Impostor.valueOf(impostor).fault, Duration.ofSeconds(1));
        writer.write(ItemWriterTest.item("p", 1, "", 1));
        String told = ExceptionUtils.findThrowable(failure.get(), UserError.class)
                .orElseThrow()
                .getMessage();
        assertTrue(told.contains("this is not DynamoDB's answer: HTTP status "), told);
        assertTrue(
                told.contains(
                        switch (impostor) {
                            case "A_PORTAL", "BAD_GATEWAY" -> "Please sign in";
                            case "MOVED" -> "to http://127.0.0.1:1/login";
                            default -> "{\"message\":\"Forbidden\"}";
                        }),
                told);
        assertEquals(0, writer.written());
    }

    @Test
    void anAnswerThatComesTwiceIsNotTakenForTheNextRequests() throws Exception {
        Wire.Fault refused =
                exchange -> exchange.reply(http(500, "x-amzn-RequestId: R" + System.nanoTime() + "\r\n", "no"));
        over(
                request -> request % 3 == 0
                        ? exchange -> {
                            byte[] answer = exchange.forward();
                            exchange.reply(answer, answer);
                        }
                        : request % 3 == 1 ? refused : Wire.Fault.PASS,
                Duration.ofSeconds(30));
        write(2000);
        assertWritten(2000);
    }

    /** The second is read as the answer to the next request, whose own is then that to the one after it, and is new. */
    @Test
    void anErrorWithoutAnIdThatComesTwiceIsNotTakenForTheNextRequests() throws Exception {
        byte[] error = http(
                413,
                "",
                "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ReplicatedWriteConflictException\",\"message\":\"m\"}");
        over(
                request -> switch (request % 4) {
                    case 0 -> exchange -> exchange.reply(error, error);
                    case 1 -> Wire.Fault.PASS;
                    // Not done: whoever takes the answer before for this one's loses it.
                    default ->
                        exchange -> exchange.reply(http(500, "x-amzn-RequestId: R" + System.nanoTime() + "\r\n", "no"));
                },
                Duration.ofSeconds(30));
        write(1000);
        assertWritten(1000);
    }

    @Test
    void anAnswerThatComesAfterAnotherOneIsNotTakenForTheNextRequests() throws Exception {
        // As a load balancer whose time was up, and which then passes on what came.
        over(
                request -> request % 4 == 0
                        ? exchange -> exchange.reply(http(504, "", HTML), http(200, crc32(OK), OK))
                        : Wire.Fault.PASS,
                Duration.ofSeconds(30));
        write(1000);
        assertWritten(1000);
    }

    @Test
    void anAnswerThatNeverEndsIsGivenUp() throws Exception {
        over(
                request -> request > 2
                        ? Wire.Fault.PASS
                        : exchange -> {
                            exchange.reply(bytes("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"));
                            try {
                                for (int i = 0; i < 500; i++) {
                                    Thread.sleep(50);
                                    exchange.reply(bytes(" "));
                                }
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                        },
                Duration.ofSeconds(30),
                Duration.ofSeconds(5),
                Duration.ofSeconds(1));
        write(200);
        assertWritten(200);
    }

    @Test
    void anItemWithWhichNoRequestPassesIsNamedInTheEnd() throws Exception {
        over(
                request -> exchange -> {
                    if (exchange.body().contains("DROP TABLE")) {
                        exchange.reply(http(403, "Server: a firewall\r\n", "blocked"));
                    } else {
                        Wire.Fault.PASS.happen(exchange);
                    }
                },
                Duration.ofMillis(200));
        writer.write(ItemWriterTest.item("bad", 1, ",\"v\":{\"S\":\"DROP TABLE\"}", 1));
        for (int i = 0; !failure.isDone(); i++) {
            try {
                writer.write(ItemWriterTest.item("p" + i % 50, i, "", 1));
            } catch (IOException e) {
                break;
            }
        }
        String told = ExceptionUtils.findThrowable(failure.get(), UserError.class)
                .orElseThrow()
                .getMessage();
        assertTrue(told.contains("{\"S\":\"bad\"} {\"N\":\"1\"}") && told.contains("a firewall"), told);
    }

    @Test
    void connectionsAreUsedAgain() throws Exception {
        over(request -> Wire.Fault.PASS, Duration.ofSeconds(30));
        write(5000);
        assertWritten(5000);
        assertTrue(wire.connections() <= 8, wire.connections() + " connections");
    }
}
