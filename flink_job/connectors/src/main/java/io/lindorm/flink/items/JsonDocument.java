package io.lindorm.flink.items;

import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;

/** JSON text as DynamoDB's maps, lists and values: true to the text, numbers included. */
final class JsonDocument {

    /** DynamoDB nests attributes up to 32 levels (its page on quotas). */
    private static final int MAX_DEPTH = 32;

    private static final byte[] MAP = "{\"M\":{".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] LIST = "{\"L\":[".getBytes(StandardCharsets.US_ASCII);

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private JsonDocument() {}

    /** What a map or list costs, and each of its elements ("DynamoDB Item sizes and formats"). */
    private static final int DOCUMENT_OVERHEAD = 3;

    private static final int ELEMENT_OVERHEAD = 1;

    /**
     * Writes a column's text as an attribute.
     *
     * @throws Reject InvalidJson for what is no JSON, nests too deep or has a name that is empty or too long, NumberOutOfRange for a number in it
     */
    static void write(String text, String column, ItemJson out) throws Reject {
        JsonNode node;
        try {
            node = MAPPER.readTree(text);
        } catch (JsonProcessingException e) {
            throw new Reject(
                    RejectReason.InvalidJson,
                    "column " + column + " is no JSON: " + Values.abbreviated(e.getOriginalMessage()));
        } catch (NumberFormatException e) {
            throw new Reject(RejectReason.NumberOutOfRange, "column " + column + " holds a number beyond any range");
        }
        if (node == null || node.isMissingNode()) {
            throw new Reject(RejectReason.InvalidJson, "column " + column + " is empty, which is no JSON");
        }
        value(node, column, 1, out);
    }

    private static void value(JsonNode node, String column, int depth, ItemJson out) throws Reject {
        // A list or map stands for what it could hold: so does DynamoDB Local, where the page says no more than 32
        // levels.
        if (depth + (node.isContainerNode() ? 1 : 0) > MAX_DEPTH) {
            throw new Reject(
                    RejectReason.InvalidJson,
                    "column " + column + " nests more than " + MAX_DEPTH
                            + " levels deep, which DynamoDB does not take");
        }
        switch (node.getNodeType()) {
            case OBJECT:
                out.raw(MAP);
                out.count(DOCUMENT_OVERHEAD);
                for (Iterator<Map.Entry<String, JsonNode>> fields = node.fields(); fields.hasNext(); ) {
                    Map.Entry<String, JsonNode> field = fields.next();
                    byte[] name = utf8(field.getKey(), column);
                    if (name.length == 0 || name.length > ItemMapper.MAX_NAME_BYTES) {
                        throw new Reject(
                                RejectReason.InvalidJson,
                                "column " + column + " has a name of " + name.length
                                        + " bytes in its document; DynamoDB takes 1 to " + ItemMapper.MAX_NAME_BYTES);
                    }
                    out.raw('"');
                    out.escaped(name);
                    out.raw('"');
                    out.raw(':');
                    out.count(ELEMENT_OVERHEAD + name.length);
                    value(field.getValue(), column, depth + 1, out);
                    if (fields.hasNext()) {
                        out.raw(',');
                    }
                }
                out.raw('}');
                out.raw('}');
                return;
            case ARRAY:
                out.raw(LIST);
                out.count(DOCUMENT_OVERHEAD);
                for (int i = 0; i < node.size(); i++) {
                    if (i > 0) {
                        out.raw(',');
                    }
                    out.count(ELEMENT_OVERHEAD);
                    value(node.get(i), column, depth + 1, out);
                }
                out.raw(']');
                out.raw('}');
                return;
            case NUMBER:
                if (node.isDouble()) {
                    // Jackson's way to say that a number is beyond a double; all others are exact decimals here.
                    throw new Reject(
                            RejectReason.NumberOutOfRange, "column " + column + " holds a number beyond any range");
                }
                out.number(Values.number(node.decimalValue(), column));
                return;
            case BOOLEAN:
                out.bool(node.booleanValue());
                return;
            case NULL:
                out.nul();
                return;
            default:
                out.string(utf8(node.textValue(), column));
        }
    }

    /** An escape in JSON can stand for half a character, which has no UTF-8 and would arrive as a question mark. */
    private static byte[] utf8(String text, String column) throws Reject {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new Reject(RejectReason.InvalidJson, "column " + column + " holds half of a surrogate pair");
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
