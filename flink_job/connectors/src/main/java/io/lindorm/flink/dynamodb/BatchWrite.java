package io.lindorm.flink.dynamodb;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.ServiceMetadata;
import software.amazon.awssdk.utils.SdkAutoCloseable;

import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * DynamoDB's BatchWriteItem, as one signed HTTP request with a ready-made body.
 *
 * <p>Not the SDK's DynamoDB client: that makes the same bytes out of objects that had to be made first, which costs
 * more than all the rest. What is the SDK's are credentials, the signature and the HTTP client.
 */
final class BatchWrite implements AutoCloseable {

    private static final byte[] PUT = bytes("{\"PutRequest\":{\"Item\":");
    private static final byte[] PUT_END = bytes("}}");
    private static final byte[] END = bytes("]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final AwsV4HttpSigner SIGNER = AwsV4HttpSigner.create();

    private static final ServiceMetadata DYNAMODB = ServiceMetadata.of("dynamodb");
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    /** DynamoDB answers within tens of milliseconds, or not at all. */
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(15);

    private final SdkHttpClient http;
    private final AwsCredentialsProvider credentials;
    private final URI endpoint;
    private final String region;
    private final String partitionName;
    private final String sortName;
    private final byte[] start;

    /**
     * @param http takes over, and closes
     * @param endpoint DynamoDB's address
     * @param region the region that requests are signed for
     * @param sortName the sort key's name; null where the table has none
     */
    BatchWrite(
            SdkHttpClient http,
            AwsCredentialsProvider credentials,
            URI endpoint,
            String region,
            String table,
            String partitionName,
            String sortName) {
        this.http = http;
        this.credentials = credentials;
        this.endpoint = endpoint;
        this.region = region;
        this.partitionName = partitionName;
        this.sortName = sortName;
        // Names of tables have letters, digits, '_', '-' and '.' only, and an ARN ':' and '/' too.
        this.start = bytes("{\"RequestItems\":{\"" + table + "\":[");
    }

    /** Writes to a table with so many connections at most; with the credentials that AWS's default chain finds. */
    static BatchWrite to(Target target, int connections) {
        SdkHttpClient http = Apache5HttpClient.builder()
                .maxConnections(connections)
                .connectionTimeout(CONNECT_TIMEOUT)
                .socketTimeout(ANSWER_TIMEOUT)
                .tcpKeepAlive(true)
                .build();
        Region region = Region.of(target.region());
        URI endpoint = target.endpoint() != null
                ? URI.create(target.endpoint())
                : URI.create("https://" + DYNAMODB.endpointFor(region));
        return new BatchWrite(
                http,
                DefaultCredentialsProvider.builder().build(),
                endpoint,
                region.id(),
                target.table(),
                target.partitionName(),
                target.sortName());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /**
     * Puts items, of which no two have the same key.
     *
     * @throws DynamoDbException where DynamoDB says that the request is wrong
     * @throws IOException where there was no answer, or one that says to try again
     */
    Answer put(List<Item> items) throws IOException, DynamoDbException {
        byte[] body = body(items);
        HttpExecuteResponse response = send(body);
        byte[] answer;
        try (InputStream in = response.responseBody().orElseThrow(() -> new IOException("an answer without a body"))) {
            answer = in.readAllBytes();
        }
        int status = response.httpResponse().statusCode();
        return status == 200 ? answer(items, JSON.readTree(answer)) : failure(items, status, answer);
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

    private HttpExecuteResponse send(byte[] body) throws IOException {
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
                        .putProperty(AwsV4HttpSigner.REGION_NAME, region))
                .request();
        return http.prepareRequest(HttpExecuteRequest.builder()
                        .request(signed)
                        .contentStreamProvider(content)
                        .build())
                .call();
    }

    private Answer answer(List<Item> items, JsonNode answer) throws IOException {
        double units = 0;
        for (JsonNode consumed : answer.path("ConsumedCapacity")) {
            units += consumed.path("CapacityUnits").asDouble();
        }
        List<Item> refused = new ArrayList<>();
        JsonNode unprocessed = answer.path("UnprocessedItems");
        if (!unprocessed.isEmpty()) {
            Map<List<Object>, Item> byKey = new HashMap<>();
            for (Item item : items) {
                byKey.put(key(JSON.readTree(item.partitionKey()), JSON.readTree(item.sortKey())), item);
            }
            for (JsonNode requests : unprocessed) {
                for (JsonNode request : requests) {
                    JsonNode put = request.path("PutRequest").path("Item");
                    Item item = byKey.remove(key(put.path(partitionName), put.path(sortName == null ? "" : sortName)));
                    if (item == null) {
                        throw new IllegalStateException(
                                "DynamoDB gave back as unprocessed what was not in the request: " + put);
                    }
                    refused.add(item);
                }
            }
        }
        return new Answer(refused, false, units);
    }

    /** A key whose equality is DynamoDB's: numbers by value, however they are written. */
    private static List<Object> key(JsonNode partition, JsonNode sort) {
        return List.of(value(partition), value(sort));
    }

    private static Object value(JsonNode attribute) {
        return attribute.has("N")
                ? new BigDecimal(attribute.get("N").textValue()).stripTrailingZeros()
                : attribute.toString();
    }

    private Answer failure(List<Item> items, int status, byte[] body) throws IOException, DynamoDbException {
        JsonNode error;
        try {
            error = JSON.readTree(body);
        } catch (IOException e) {
            // A proxy or a load balancer, not DynamoDB.
            throw new IOException("HTTP status " + status + " and no JSON: "
                    + new String(body, 0, Math.min(body.length, 200), StandardCharsets.UTF_8), e);
        }
        String code = error.path("__type").asText();
        code = code.substring(code.lastIndexOf('#') + 1);
        String message = error.path("message").asText(error.path("Message").asText());
        switch (code) {
            case "ProvisionedThroughputExceededException":
            case "ThrottlingException":
            case "RequestLimitExceeded":
                return new Answer(items, isTableFull(code, error), 0);
            case "ExpiredTokenException":
            case "ExpiredToken":
                // The provider renews them by itself.
                throw new IOException(code + ": " + message);
            default:
                if (status >= 500 || status == 408 || status == 429) {
                    throw new IOException("HTTP status " + status + ", " + code + ": " + message);
                }
                throw new DynamoDbException(code, message);
        }
    }

    /**
     * Whether the reasons name the table or the account. KeyRangeThroughputExceeded may be one partition, or all of a
     * table on demand that is not warm: so it says nothing. (Reasons: "Diagnosing throttling" in the developer guide;
     * the two exceptions spell the member differently.)
     */
    private static boolean isTableFull(String code, JsonNode error) {
        JsonNode reasons = error.has("ThrottlingReasons") ? error.get("ThrottlingReasons") : error.path("throttlingReasons");
        boolean tableIsFull = code.equals("RequestLimitExceeded");
        for (JsonNode reason : reasons) {
            tableIsFull |= !reason.path("reason").asText().contains("KeyRange");
        }
        return tableIsFull;
    }

    @Override
    public void close() {
        http.close();
        if (credentials instanceof SdkAutoCloseable) {
            ((SdkAutoCloseable) credentials).close();
        }
    }
}
