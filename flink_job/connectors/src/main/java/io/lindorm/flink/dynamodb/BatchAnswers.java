package io.lindorm.flink.dynamodb;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;
import software.amazon.awssdk.http.SdkHttpResponse;

/**
 * Tells what BatchWriteItem answered from what only looks like it. Between the job and DynamoDB stand proxies, load
 * balancers and whatever else a network has, and any of them may answer in its place, or cut or repeat what it
 * answered: an item counts as written only where nothing but DynamoDB's own answer can be what came.
 *
 * <p>Pure. What an answer is: <a
 * href="https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html">BatchWriteItem</a>;
 * errors and the checksum: <a
 * href="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html">Error handling</a>
 * and <a href="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html">DynamoDB
 * low-level API</a>.
 */
final class BatchAnswers {

    private static final int OK = 200;
    private static final int FIRST_ERROR_STATUS = 400;
    private static final int SHOWN_CHARACTERS = 200;

    /** DynamoDB's own exceptions, and those of the framework before it; other services have other names. */
    private static final Pattern ERROR_TYPE =
            Pattern.compile("com\\.amazon(?:aws\\.dynamodb\\.v\\d+|\\.coral\\.[a-z.]+)#(\\w+)");

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private final String table;
    private final String partitionName;
    private final String sortName;

    /**
     * @param table the table's name or ARN, as in the request
     * @param sortName the sort key's name; null where the table has none
     */
    BatchAnswers(String table, String partitionName, String sortName) {
        this.table = table;
        this.partitionName = partitionName;
        this.sortName = sortName;
    }

    /** DynamoDB's error document: the exception's name, its words, and the whole of it. */
    record ErrorDocument(String code, String message, JsonNode document) {}

    static boolean isSuccess(SdkHttpResponse head) {
        return head.statusCode() == OK;
    }

    /**
     * What became of a batch, of an answer with the status 200.
     *
     * @param items what was sent
     * @throws IOException where this is not what BatchWriteItem answers to these items
     */
    Answer answer(List<Item> items, SdkHttpResponse head, byte[] body) throws IOException {
        JsonNode answer = json(head, body);
        if (!answer.path("UnprocessedItems").isObject()) {
            throw notDynamoDb(head, body, "it has no UnprocessedItems");
        }
        List<Item> refused = unprocessed(items, answer.get("UnprocessedItems"), head, body);
        return new Answer(refused, false, units(answer, refused.size() == items.size(), head, body));
    }

    /** Write units consumed, in all; ConsumedCapacity was asked for, and is of this table. */
    private double units(JsonNode answer, boolean isAllRefused, SdkHttpResponse head, byte[] body) throws IOException {
        JsonNode consumed = answer.path("ConsumedCapacity");
        if (!consumed.isArray() || consumed.isEmpty() && !isAllRefused) {
            throw notDynamoDb(head, body, "it has no ConsumedCapacity, which was asked for");
        }
        double units = 0;
        for (JsonNode one : consumed) {
            JsonNode count = one.path("CapacityUnits");
            if (!isTable(one.path("TableName").textValue()) || !count.isNumber() || count.doubleValue() < 0) {
                throw notDynamoDb(head, body, "its ConsumedCapacity is not of the table " + table);
            }
            units += count.doubleValue();
        }
        return units;
    }

    private boolean isTable(String name) {
        return name != null && (name.equals(table) || table.endsWith("/" + name) || name.endsWith("/" + table));
    }

    private List<Item> unprocessed(List<Item> items, JsonNode unprocessed, SdkHttpResponse head, byte[] body)
            throws IOException {
        List<Item> refused = new ArrayList<>();
        if (unprocessed.isEmpty()) {
            return refused;
        }
        Map<List<Object>, Item> byKey = new HashMap<>();
        for (Item item : items) {
            byKey.put(key(JSON.readTree(item.partitionKey()), JSON.readTree(item.sortKey())), item);
        }
        for (Iterator<Map.Entry<String, JsonNode>> tables = unprocessed.fields(); tables.hasNext(); ) {
            Map.Entry<String, JsonNode> entry = tables.next();
            if (!isTable(entry.getKey()) || !entry.getValue().isArray()) {
                throw notDynamoDb(head, body, "its UnprocessedItems are not of the table " + table);
            }
            for (JsonNode request : entry.getValue()) {
                JsonNode put = request.path("PutRequest").path("Item");
                Item item = byKey.remove(key(put.path(partitionName), put.path(sortName == null ? "" : sortName)));
                if (item == null) {
                    throw notDynamoDb(head, body, "it gives back an item that was not sent, or twice");
                }
                refused.add(item);
            }
        }
        return refused;
    }

    /** A key whose equality is DynamoDB's: numbers by value, however they are written. */
    private static List<Object> key(JsonNode partition, JsonNode sort) {
        return List.of(value(partition), value(sort));
    }

    private static Object value(JsonNode attribute) {
        if (attribute.path("N").isTextual()) {
            try {
                return new BigDecimal(attribute.get("N").textValue()).stripTrailingZeros();
            } catch (NumberFormatException e) {
                return attribute.toString();
            }
        }
        return attribute.toString();
    }

    /**
     * DynamoDB's error document, of an answer with another status than 200.
     *
     * @throws IOException where there is none
     */
    ErrorDocument error(SdkHttpResponse head, byte[] body) throws IOException {
        if (head.statusCode() < FIRST_ERROR_STATUS) {
            throw notDynamoDb(head, body, "BatchWriteItem has no such status");
        }
        JsonNode document = json(head, body);
        var type = ERROR_TYPE.matcher(document.path("__type").asText());
        if (!type.matches()) {
            throw notDynamoDb(head, body, "it is no error of DynamoDB's");
        }
        String message =
                document.path("message").asText(document.path("Message").asText());
        return new ErrorDocument(type.group(1), message, document);
    }

    private static JsonNode json(SdkHttpResponse head, byte[] body) throws IOException {
        String checksum = head.firstMatchingHeader("x-amz-crc32").orElse(null);
        if (checksum != null) {
            CRC32 crc = new CRC32();
            crc.update(body);
            if (!checksum.strip().equals(Long.toString(crc.getValue()))) {
                throw notDynamoDb(head, body, "its checksum is not that of its header x-amz-crc32");
            }
        }
        try {
            JsonNode answer = JSON.readTree(body);
            if (answer.isObject()) {
                return answer;
            }
        } catch (JsonProcessingException e) {
            // Told below, as what is JSON and no object is.
        }
        throw notDynamoDb(head, body, body.length == 0 ? "it has no body" : "it is no JSON object, or not only one");
    }

    /**
     * Says what answered in DynamoDB's place, so that whoever reads it knows where to look.
     *
     * @param why what it lacks
     */
    static IOException notDynamoDb(SdkHttpResponse head, byte[] body, String why) {
        StringBuilder text = new StringBuilder("this is not DynamoDB's answer: HTTP status ").append(head.statusCode());
        head.firstMatchingHeader("Server")
                .ifPresent(server -> text.append(", server '").append(server).append('\''));
        head.firstMatchingHeader("Content-Type")
                .ifPresent(type -> text.append(", ").append(type));
        head.firstMatchingHeader("Location")
                .ifPresent(place -> text.append(", to ").append(place));
        text.append("; ").append(why);
        String shown = new String(body, 0, Math.min(body.length, SHOWN_CHARACTERS), StandardCharsets.UTF_8).strip();
        if (!shown.isEmpty()) {
            text.append(": ").append(shown.replaceAll("[\\s\\p{Cntrl}]+", " "));
        }
        return new IOException(text.toString());
    }
}
