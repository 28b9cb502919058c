package io.lindorm.flink.items;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;

import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON text as DynamoDB's maps, lists and values: true to the text, numbers included. */
final class JsonDocument {

    /** DynamoDB nests attributes up to 32 levels (its page on quotas). */
    private static final int MAX_DEPTH = 32;

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private JsonDocument() {}

    /**
     * Parses a column's text.
     *
     * @throws Reject InvalidJson for what is no JSON or nests too deep, NumberOutOfRange for a number in it
     */
    static AttributeValue parse(String text, String column) throws Reject {
        JsonNode node;
        try {
            node = MAPPER.readTree(text);
        } catch (JsonProcessingException e) {
            throw new Reject(RejectReason.InvalidJson, "column " + column + " is no JSON: " + e.getOriginalMessage());
        } catch (NumberFormatException e) {
            throw new Reject(RejectReason.NumberOutOfRange, "column " + column + " holds a number beyond any range");
        }
        if (node == null || node.isMissingNode()) {
            throw new Reject(RejectReason.InvalidJson, "column " + column + " is empty, which is no JSON");
        }
        return value(node, column, 1);
    }

    private static AttributeValue value(JsonNode node, String column, int depth) throws Reject {
        if (depth > MAX_DEPTH) {
            throw new Reject(
                    RejectReason.InvalidJson,
                    "column " + column + " nests more than " + MAX_DEPTH + " levels deep, which DynamoDB does not take");
        }
        switch (node.getNodeType()) {
            case OBJECT:
                Map<String, AttributeValue> map = new LinkedHashMap<>();
                for (Iterator<Map.Entry<String, JsonNode>> fields = node.fields(); fields.hasNext(); ) {
                    Map.Entry<String, JsonNode> field = fields.next();
                    map.put(text(field.getKey(), column), value(field.getValue(), column, depth + 1));
                }
                return AttributeValue.builder().m(map).build();
            case ARRAY:
                List<AttributeValue> list = new ArrayList<>(node.size());
                for (JsonNode element : node) {
                    list.add(value(element, column, depth + 1));
                }
                return AttributeValue.builder().l(list).build();
            case NUMBER:
                if (node.isDouble()) {
                    // Jackson's way to say that a number is beyond a double; all others are exact decimals here.
                    throw new Reject(RejectReason.NumberOutOfRange, "column " + column + " holds a number beyond any range");
                }
                return AttributeValue.builder().n(Values.number(node.decimalValue(), column)).build();
            case BOOLEAN:
                return AttributeValue.builder().bool(node.booleanValue()).build();
            case NULL:
                return AttributeValue.builder().nul(true).build();
            default:
                return AttributeValue.builder().s(text(node.textValue(), column)).build();
        }
    }

    /** An escape in JSON can stand for half a character, which has no UTF-8 and would arrive as a question mark. */
    private static String text(String text, String column) throws Reject {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new Reject(RejectReason.InvalidJson, "column " + column + " holds half of a surrogate pair");
        }
        return text;
    }
}
