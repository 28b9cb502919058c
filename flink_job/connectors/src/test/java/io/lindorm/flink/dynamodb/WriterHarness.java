package io.lindorm.flink.dynamodb;

import io.lindorm.flink.rate.RateShares;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * The writer for tests in other languages: each line of standard input is a run, {@code {"url", "table", "items",
 * "partitions", "bad"}}, and each line of standard output says what became of it, {@code {"written", "invalid",
 * "error"}}. Item i has the key ("p" + i mod partitions, i); those in "bad" have an empty key for an index.
 */
public final class WriterHarness {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration ANSWER_TIMEOUT = Duration.ofMillis(500);
    private static final Duration WHOLE_TIMEOUT = Duration.ofSeconds(1);
    private static final Duration GIVE_UP = Duration.ofSeconds(10);

    private WriterHarness() {}

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(run(JSON.readTree(line)));
        }
    }

    private static ObjectNode run(JsonNode run) throws InterruptedException {
        Target target = new Target(
                "us-west-2", run.get("url").textValue(), run.get("table").textValue(), "p", "s");
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        ObjectNode result = JSON.createObjectNode();
        try (ItemWriter writer = new ItemWriter(
                BatchWrite.to(target, 8, ANSWER_TIMEOUT, WHOLE_TIMEOUT), failure::complete, 0, List.of(), GIVE_UP)) {
            writer.start("harness", null, new Alone());
            result.putNull("error");
            try {
                for (int i = 0; i < run.get("items").intValue(); i++) {
                    writer.write(item(i, run));
                }
                writer.drain();
            } catch (IOException | RuntimeException e) {
                StringBuilder causes = new StringBuilder();
                for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                    causes.append(cause).append("; ");
                }
                result.put("error", causes.toString());
            }
            result.put("written", writer.written());
            var invalid = result.putArray("invalid");
            writer.takeInvalid()
                    .forEach(one -> invalid.add(Integer.parseInt(
                            new String(one.item().sortKey(), StandardCharsets.UTF_8).replaceAll("\\D", ""))));
        }
        return result;
    }

    private static Item item(int i, JsonNode run) {
        boolean isBad = false;
        for (JsonNode bad : run.get("bad")) {
            isBad |= bad.intValue() == i;
        }
        String p = "{\"S\":\"p" + i % run.get("partitions").intValue() + "\"}";
        String s = "{\"N\":\"" + i + "\"}";
        String start = "{\"p\":" + p + ",\"s\":";
        String json = start + s + ",\"g\":{\"S\":\"" + (isBad ? "" : "x") + "\"},\"v\":{\"S\":\"\u00e9"
                + "y".repeat(i % 40) + "\"}}";
        return new Item(
                json.getBytes(StandardCharsets.UTF_8),
                5,
                5 + p.length(),
                start.length(),
                start.length() + s.length(),
                1);
    }

    private static final class Alone implements RateShares {
        @Override
        public int writer() {
            return 0;
        }

        @Override
        public int writers() {
            return 1;
        }

        @Override
        public double ask(double[] request) {
            return request[2];
        }
    }
}
