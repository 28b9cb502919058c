package io.lindorm.flink.items;

import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

import java.util.Map;

/**
 * How much of DynamoDB's 400 KB an item takes, after "DynamoDB Item sizes and formats" in its developer
 * guide. That page gives the size of a number only roughly; here it is never less than the page's.
 */
final class ItemSize {

    /** 400 KB, names and values together. */
    static final int MAX_ITEM_BYTES = 400 * 1024;

    private static final int DOCUMENT_OVERHEAD = 3;
    private static final int ELEMENT_OVERHEAD = 1;
    private static final int MAX_NUMBER_BYTES = 21;

    private ItemSize() {}

    /** An item's size in bytes. */
    static long of(Map<String, AttributeValue> item) {
        long bytes = 0;
        for (Map.Entry<String, AttributeValue> attribute : item.entrySet()) {
            bytes += Values.utf8Length(attribute.getKey()) + of(attribute.getValue());
        }
        return bytes;
    }

    private static long of(AttributeValue value) {
        switch (value.type()) {
            case S:
                return Values.utf8Length(value.s());
            case N:
                return number(value.n());
            case B:
                return value.b().asByteArrayUnsafe().length;
            case L:
                long list = DOCUMENT_OVERHEAD;
                for (AttributeValue element : value.l()) {
                    list += ELEMENT_OVERHEAD + of(element);
                }
                return list;
            case M:
                return DOCUMENT_OVERHEAD + (long) ELEMENT_OVERHEAD * value.m().size() + of(value.m());
            default:
                return 1;
        }
    }

    private static int number(String number) {
        int digits = 0;
        for (int i = 0; i < number.length() && number.charAt(i) != 'E'; i++) {
            if (Character.isDigit(number.charAt(i))) {
                digits++;
            }
        }
        return Math.min(MAX_NUMBER_BYTES, (digits + 1) / 2 + 1 + (number.startsWith("-") ? 1 : 0));
    }
}
