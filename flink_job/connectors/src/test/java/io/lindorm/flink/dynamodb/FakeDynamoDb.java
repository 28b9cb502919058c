package io.lindorm.flink.dynamodb;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.math.BigDecimal;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Predicate;
import java.util.zip.CRC32;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * DynamoDB's BatchWriteItem over HTTP, in this process and strict: it computes the signature anew, and refuses what
 * DynamoDB refuses. It has one table, {@code t}, with the key {@code p} (S) and {@code s} (N).
 */
public final class FakeDynamoDb implements AutoCloseable {

    /** What a request that follows gets instead of its answer. */
    public record Fault(int status, String code, boolean isDone) {}

    private static final String KEY_ID = "AKIDEXAMPLE";
    private static final String SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    private static final ObjectMapper JSON = new ObjectMapper();

    static {
        System.setProperty("aws.accessKeyId", KEY_ID);
        System.setProperty("aws.secretAccessKey", SECRET);
    }

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Map<List<Object>, JsonNode> items = new HashMap<>();
    private final Deque<Fault> faults = new ArrayDeque<>();
    private final List<Integer> batchSizes = new ArrayList<>();
    private Predicate<JsonNode> refuses = item -> false;
    private Predicate<JsonNode> invalid = item -> item.has("poison");
    private String words = "One or more parameter values were invalid: poison";
    private Duration ahead = Duration.ZERO;
    private String skewError = "InvalidSignatureException";
    private int requests;
    private double unitsPerItem = 1;
    private double units;
    private long puts;
    private long refusals;

    public FakeDynamoDb() throws IOException {
        this(0);
    }

    /** An empty one at a port that another one had. */
    FakeDynamoDb(int port) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 200);
        server.createContext("/", this::handle);
        server.setExecutor(threads);
        server.start();
    }

    /** The table, as the writer must know it. */
    public Target target() {
        return new Target("us-west-2", url(), "t", "p", "s");
    }

    public String url() {
        return "http://127.0.0.1:" + port();
    }

    int port() {
        return server.getAddress().getPort();
    }

    /** Which items come back unprocessed, asked for each one each time. */
    public synchronized void refuse(Predicate<JsonNode> refuses) {
        this.refuses = refuses;
    }

    public synchronized void fail(Fault... next) {
        faults.addAll(List.of(next));
    }

    /** Which items are invalid, whatever else they are. */
    public synchronized void invalid(Predicate<JsonNode> invalid, String words) {
        this.invalid = invalid;
        this.words = words;
    }

    public void invalid(Predicate<JsonNode> invalid) {
        invalid(invalid, "One or more parameter values were invalid: poison");
    }

    /** How many requests came whose signature is right. */
    public synchronized int requests() {
        return requests;
    }

    /**
     * Its clock is so much ahead of the machine's, and a signature of another time gets this error. (The header Date
     * of its answers is the machine's all the same: Java's server sees to that.)
     */
    public synchronized void clock(Duration ahead, String error) {
        this.ahead = ahead;
        this.skewError = error;
    }

    public synchronized void costs(double unitsPerItem) {
        this.unitsPerItem = unitsPerItem;
    }

    public synchronized Map<List<Object>, JsonNode> items() {
        return new HashMap<>(items);
    }

    /** How many puts were taken, those of a key that was there included. */
    public synchronized long puts() {
        return puts;
    }

    public synchronized long refusals() {
        return refusals;
    }

    public synchronized List<Integer> batchSizes() {
        return List.copyOf(batchSizes);
    }

    /** What was consumed, in write units. */
    public synchronized double units() {
        return units;
    }

    private void handle(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        ObjectNode answer = JSON.createObjectNode();
        int status;
        try {
            checkSignature(exchange, body);
            status = answer(JSON.readTree(body), answer);
        } catch (Refusal e) {
            status = e.status;
            answer.removeAll();
            answer.put("__type", "com.amazonaws.dynamodb.v20120810#" + e.code).put("message", e.getMessage());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
        byte[] bytes = JSON.writeValueAsBytes(answer);
        CRC32 crc = new CRC32();
        crc.update(bytes);
        exchange.getResponseHeaders().add("Content-Type", "application/x-amz-json-1.0");
        exchange.getResponseHeaders().add("x-amz-crc32", Long.toString(crc.getValue()));
        exchange.getResponseHeaders().add("x-amzn-RequestId", UUID.randomUUID().toString());
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    private static final class Refusal extends Exception {
        private final int status;
        private final String code;

        Refusal(int status, String code, String message) {
            super(message);
            this.status = status;
            this.code = code;
        }
    }

    private static void check(boolean is, String message) throws Refusal {
        if (!is) {
            throw new Refusal(400, "ValidationException", message);
        }
    }

    private synchronized int answer(JsonNode request, ObjectNode answer) throws Refusal {
        requests++;
        Fault fault = faults.poll();
        if (fault != null && !fault.isDone) {
            throw new Refusal(fault.status, fault.code, "as the test wants");
        }
        JsonNode requests = request.path("RequestItems").path("t");
        check(requests.size() >= 1 && requests.size() <= 25, "between 1 and 25 puts, not " + requests.size());
        batchSizes.add(requests.size());
        Set<List<Object>> keys = new HashSet<>();
        for (JsonNode put : requests) {
            JsonNode item = put.path("PutRequest").path("Item");
            check(item.path("p").path("S").asText().length() > 0, "Type mismatch for key p, or it is empty: " + item);
            check(item.path("s").has("N"), "Type mismatch for key s: " + item);
            check(!invalid.test(item), words);
            check(keys.add(key(item)), "Provided list of item keys contains duplicates");
        }
        ArrayNode unprocessed = JSON.createArrayNode();
        double consumed = 0;
        for (JsonNode put : requests) {
            JsonNode item = put.get("PutRequest").get("Item");
            if (refuses.test(item)) {
                refusals++;
                unprocessed.add(rewritten(put));
            } else {
                items.put(key(item), item);
                puts++;
                consumed += unitsPerItem;
            }
        }
        units += consumed;
        if (fault != null) {
            throw new Refusal(fault.status, fault.code, "done, but the answer is lost");
        }
        if (unprocessed.size() == requests.size()) {
            answer.putArray("ThrottlingReasons")
                    .addObject()
                    .put("reason", "TableWriteKeyRangeThroughputExceeded")
                    .put("resource", "arn");
            answer.put("__type", "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException");
            answer.put("message", "The level of configured provisioned throughput for the table was exceeded.");
            return 400;
        }
        ObjectNode left = answer.putObject("UnprocessedItems");
        if (!unprocessed.isEmpty()) {
            left.set("t", unprocessed);
        }
        answer.putArray("ConsumedCapacity").addObject().put("TableName", "t").put("CapacityUnits", consumed);
        return 200;
    }

    /** The same item in other words: DynamoDB promises values, not bytes. */
    private static JsonNode rewritten(JsonNode put) {
        ObjectNode copy = put.deepCopy();
        ObjectNode sort = (ObjectNode) copy.path("PutRequest").path("Item").path("s");
        sort.put("N", new BigDecimal(sort.get("N").textValue()).setScale(3).toPlainString());
        return copy;
    }

    public static List<Object> key(JsonNode item) {
        return List.of(
                item.path("p").path("S").asText(),
                new BigDecimal(item.path("s").path("N").asText()).stripTrailingZeros());
    }

    /** "Create a signed AWS API request" in the IAM user guide, done over. */
    private void checkSignature(HttpExchange exchange, byte[] body) throws Refusal, GeneralSecurityException {
        String authorization = exchange.getRequestHeaders().getFirst("Authorization");
        String date = exchange.getRequestHeaders().getFirst("X-Amz-Date");
        if (authorization == null || date == null) {
            throw new Refusal(400, "MissingAuthenticationTokenException", "not signed");
        }
        Instant signedAt = LocalDateTime.parse(date, DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'"))
                .toInstant(ZoneOffset.UTC);
        if (Duration.between(signedAt, Instant.now().plus(ahead)).abs().toMinutes() >= 5) {
            throw new Refusal(400, skewError, "Signature expired: " + date);
        }
        String scope = date.substring(0, 8) + "/us-west-2/dynamodb/aws4_request";
        String names = authorization.replaceAll(".*SignedHeaders=([^,]*),.*", "$1");
        StringBuilder canonical = new StringBuilder("POST\n/\n\n");
        for (String name : names.split(";")) {
            canonical
                    .append(name)
                    .append(':')
                    .append(exchange.getRequestHeaders().getFirst(name).trim())
                    .append('\n');
        }
        canonical.append('\n').append(names).append('\n').append(sha256(body));
        String toSign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n"
                + sha256(canonical.toString().getBytes(StandardCharsets.UTF_8));
        byte[] key = ("AWS4" + SECRET).getBytes(StandardCharsets.UTF_8);
        for (String part : scope.split("/")) {
            key = hmac(key, part);
        }
        String expected = "AWS4-HMAC-SHA256 Credential=" + KEY_ID + "/" + scope + ", SignedHeaders=" + names
                + ", Signature=" + HexFormat.of().formatHex(hmac(key, toSign));
        if (!authorization.equals(expected) || !names.contains("x-amz-target") || !names.contains("host")) {
            throw new Refusal(403, "InvalidSignatureException", "the signature does not match");
        }
        check(
                "DynamoDB_20120810.BatchWriteItem"
                        .equals(exchange.getRequestHeaders().getFirst("X-Amz-Target")),
                "target");
    }

    private static String sha256(byte[] bytes) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
