package io.lindorm.flink.dynamodb;

import io.lindorm.flink.dynamodb.BatchAnswers.ErrorDocument;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.retry.ClockSkew;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.HttpSigner;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.ServiceMetadata;
import software.amazon.awssdk.utils.SdkAutoCloseable;

/**
 * DynamoDB's BatchWriteItem, as one signed HTTP request with a ready-made body.
 *
 * <p>Not the SDK's DynamoDB client: that makes the same bytes out of objects that had to be made first, which costs
 * more than all the rest. What is the SDK's are credentials, the signature and the HTTP client.
 */
final class BatchWrite implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(BatchWrite.class);
    private static final byte[] PUT = bytes("{\"PutRequest\":{\"Item\":");
    private static final byte[] PUT_END = bytes("}}");
    private static final byte[] END = bytes("]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
    private static final AwsV4HttpSigner SIGNER = AwsV4HttpSigner.create();

    private static final ServiceMetadata DYNAMODB = ServiceMetadata.of("dynamodb");
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    /** DynamoDB answers within tens of milliseconds, or not at all. */
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(15);

    /** From the first byte sent to the last one read: also where an answer never ends, or comes byte by byte. */
    private static final Duration WHOLE_TIMEOUT = Duration.ofSeconds(30);

    /** An answer may give back all of the request, with each character escaped, and says little besides. */
    private static final int ANSWER_PER_REQUEST = 6;

    private static final int ANSWER_BESIDES = 64 * 1024;

    private final Supplier<SdkHttpClient> connect;
    private volatile SdkHttpClient http;
    private final AwsCredentialsProvider credentials;
    private final URI endpoint;
    private final String region;
    private final byte[] start;
    private final BatchAnswers answers;
    private final RequestIds ids = new RequestIds();
    private final Duration wholeTimeout;
    private final ScheduledThreadPoolExecutor watch = new ScheduledThreadPoolExecutor(1, work -> {
        Thread thread = new Thread(work, "DynamoDB timeouts");
        thread.setDaemon(true);
        return thread;
    });
    /** How much DynamoDB's clock is ahead of this machine's, as far as that is known to matter. */
    private volatile Duration skew = Duration.ZERO;

    /**
     * @param connect makes an HTTP client, closed with this
     * @param endpoint DynamoDB's address
     * @param region the region that requests are signed for
     * @param wholeTimeout how long a request may take in all
     */
    BatchWrite(
            Supplier<SdkHttpClient> connect,
            AwsCredentialsProvider credentials,
            URI endpoint,
            String region,
            Target target,
            Duration wholeTimeout) {
        this.connect = connect;
        this.http = connect.get();
        this.credentials = credentials;
        this.endpoint = endpoint;
        this.region = region;
        // Names of tables have letters, digits, '_', '-' and '.' only, and an ARN ':' and '/' too.
        this.start = bytes("{\"RequestItems\":{\"" + target.table() + "\":[");
        this.answers = new BatchAnswers(target.table(), target.partitionName(), target.sortName());
        this.wholeTimeout = wholeTimeout;
        watch.setRemoveOnCancelPolicy(true);
    }

    /** Writes to a table with so many connections at most; with the credentials that AWS's default chain finds. */
    static BatchWrite to(Target target, int connections) {
        return to(target, connections, ANSWER_TIMEOUT, WHOLE_TIMEOUT);
    }

    /** As {@link #to(Target, int)}, with a time for each part of an answer, and for the whole of it. */
    static BatchWrite to(Target target, int connections, Duration answerTimeout, Duration wholeTimeout) {
        Region region = Region.of(target.region());
        URI endpoint = target.endpoint() != null
                ? URI.create(target.endpoint())
                : URI.create("https://" + DYNAMODB.endpointFor(region));
        return new BatchWrite(
                () -> Apache5HttpClient.builder()
                        .maxConnections(connections)
                        .connectionTimeout(CONNECT_TIMEOUT)
                        .socketTimeout(answerTimeout)
                        .tcpKeepAlive(true)
                        .build(),
                DefaultCredentialsProvider.builder().build(),
                endpoint,
                region.id(),
                target,
                wholeTimeout);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /**
     * Puts items, of which no two have the same key.
     *
     * @throws DynamoDbException where DynamoDB says that the request is wrong
     * @throws IOException where there was no answer of DynamoDB's, or one that says to try again
     */
    Answer put(List<Item> items) throws IOException, DynamoDbException {
        byte[] body = body(items);
        Instant signedAt = Instant.now().plus(skew);
        ExecutableHttpRequest request = request(body, signedAt);
        Future<?> timeout = watch.schedule(request::abort, wholeTimeout.toMillis(), TimeUnit.MILLISECONDS);
        try {
            return answer(items, request.call(), (long) ANSWER_PER_REQUEST * body.length + ANSWER_BESIDES, signedAt);
        } catch (IOException | RuntimeException e) {
            // The HTTP client has errors of both kinds for a connection that was closed under it.
            throw timeout.isDone()
                    ? new IOException("no whole answer within " + wholeTimeout.toMillis() + " ms", e)
                    : e instanceof IOException io ? io : new IOException("the HTTP client: " + e, e);
        } finally {
            timeout.cancel(false);
        }
    }

    private Answer answer(List<Item> items, HttpExecuteResponse response, long most, Instant signedAt)
            throws IOException, DynamoDbException {
        SdkHttpResponse head = response.httpResponse();
        try (AbortableInputStream in = response.responseBody().orElseGet(AbortableInputStream::createEmpty)) {
            boolean isInStep = false;
            try {
                byte[] body = read(in, head, most);
                Answer answer = BatchAnswers.isSuccess(head) ? answers.answer(items, head, body) : null;
                ErrorDocument error = answer == null ? answers.error(head, body) : null;
                isInStep = isNew(head, body);
                return answer != null ? answer : failure(items, error, head, signedAt);
            } finally {
                if (!isInStep) {
                    // Who knows what else comes on this connection, to be taken for the answer to the next request.
                    in.abort();
                }
            }
        }
    }

    /** Whether an answer is known to be no other one's copy; of one without an id nobody can tell. */
    private boolean isNew(SdkHttpResponse head, byte[] body) throws IOException {
        Optional<String> id = head.firstMatchingHeader("x-amzn-RequestId");
        if (id.isEmpty()) {
            return false;
        }
        if (ids.isNew(id.get())) {
            return true;
        }
        // Answers have got out of step with requests. Which connections are concerned, nobody can tell.
        SdkHttpClient old = http;
        http = connect.get();
        old.close();
        throw BatchAnswers.notDynamoDb(head, body, "it came before, as the answer to another request");
    }

    /** The whole body and no byte more, so that the connection is not given back before the body is looked at. */
    private static byte[] read(AbortableInputStream in, SdkHttpResponse head, long most) throws IOException {
        long length = length(head);
        if (length > most) {
            throw BatchAnswers.notDynamoDb(head, new byte[0], "it is longer than any answer, " + length + " bytes");
        }
        byte[] body = in.readNBytes((int) (length < 0 ? most + 1 : length));
        if (body.length > most) {
            throw BatchAnswers.notDynamoDb(head, body, "it is longer than any answer");
        }
        if (body.length < length) {
            throw BatchAnswers.notDynamoDb(head, body, "of " + length + " bytes " + body.length + " came");
        }
        return body;
    }

    private static long length(SdkHttpResponse head) throws IOException {
        Optional<String> length = head.firstMatchingHeader("Content-Length");
        try {
            return length.isEmpty() ? -1 : Long.parseLong(length.get().strip());
        } catch (NumberFormatException e) {
            throw BatchAnswers.notDynamoDb(head, new byte[0], "its Content-Length is '" + length.get() + "'");
        }
    }

    private byte[] body(List<Item> items) {
        int length = start.length + END.length + items.size() - 1;
        for (Item item : items) {
            length += PUT.length + item.json().length + PUT_END.length;
        }
        byte[] body = new byte[length];
        int at = append(start, body, 0);
        for (int i = 0; i < items.size(); i++) {
            if (i > 0) {
                body[at++] = ',';
            }
            at = append(PUT, body, at);
            at = append(items.get(i).json(), body, at);
            at = append(PUT_END, body, at);
        }
        append(END, body, at);
        return body;
    }

    private static int append(byte[] part, byte[] body, int at) {
        System.arraycopy(part, 0, body, at, part.length);
        return at + part.length;
    }

    private ExecutableHttpRequest request(byte[] body, Instant signedAt) throws IOException {
        SdkHttpRequest request = SdkHttpRequest.builder()
                .uri(endpoint)
                .method(SdkHttpMethod.POST)
                .putHeader("Content-Type", "application/x-amz-json-1.0")
                .putHeader("X-Amz-Target", "DynamoDB_20120810.BatchWriteItem")
                .putHeader("Content-Length", Integer.toString(body.length))
                .build();
        ContentStreamProvider content = ContentStreamProvider.fromByteArrayUnsafe(body);
        AwsCredentials identity;
        try {
            identity = credentials.resolveCredentials();
        } catch (SdkException e) {
            throw new IOException("there are no AWS credentials: " + e.getMessage(), e);
        }
        SdkHttpRequest signed = SIGNER.sign(sign -> sign.identity(identity)
                        .request(request)
                        .payload(content)
                        .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "dynamodb")
                        .putProperty(AwsV4HttpSigner.REGION_NAME, region)
                        .putProperty(HttpSigner.SIGNING_CLOCK, Clock.fixed(signedAt, ZoneOffset.UTC)))
                .request();
        return http.prepareRequest(HttpExecuteRequest.builder()
                .request(signed)
                .contentStreamProvider(content)
                .build());
    }

    private Answer failure(List<Item> items, ErrorDocument error, SdkHttpResponse head, Instant signedAt)
            throws IOException, DynamoDbException {
        String what = "HTTP status " + head.statusCode() + ", " + error.code() + ": " + error.message();
        switch (ServiceErrors.kind(error, head, signedAt)) {
            case THROTTLED:
                return new Answer(items, isTableFull(error), 0);
            case PASSING:
                throw new IOException(what);
            case SKEWED:
                correctClock(head);
                throw new IOException(what);
            case ITEM:
                throw new DynamoDbException(error.code(), error.message(), true);
            default:
                throw new DynamoDbException(error.code(), error.message(), false);
        }
    }

    /** Signs from now on with DynamoDB's time, as its answer's Date gives it. */
    private void correctClock(SdkHttpResponse head) {
        ClockSkew.getServerTime(head).ifPresent(time -> {
            skew = Duration.between(Instant.now(), time);
            LOG.warn(
                    "This machine's clock is {} s {} DynamoDB's; requests are signed with DynamoDB's time",
                    skew.abs().toSeconds(),
                    skew.isNegative() ? "ahead of" : "behind");
        });
    }

    /**
     * Whether the reasons name the table or the account. KeyRangeThroughputExceeded may be one partition, or all of a
     * table on demand that is not warm: so it says nothing. (Reasons: "Diagnosing throttling" in the developer guide;
     * the two exceptions spell the member differently.)
     */
    private static boolean isTableFull(ErrorDocument error) {
        JsonNode document = error.document();
        JsonNode reasons = document.has("ThrottlingReasons")
                ? document.get("ThrottlingReasons")
                : document.path("throttlingReasons");
        boolean tableIsFull = error.code().equals("RequestLimitExceeded");
        for (JsonNode reason : reasons) {
            tableIsFull |= !reason.path("reason").asText().contains("KeyRange");
        }
        return tableIsFull;
    }

    @Override
    public void close() {
        watch.shutdownNow();
        http.close();
        if (credentials instanceof SdkAutoCloseable) {
            ((SdkAutoCloseable) credentials).close();
        }
    }
}
