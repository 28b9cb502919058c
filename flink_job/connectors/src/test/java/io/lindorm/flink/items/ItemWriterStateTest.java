package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.apache.flink.connector.base.sink.writer.BufferedRequestState;
import org.apache.flink.connector.base.sink.writer.RequestEntryWrapper;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequest;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequestType;

import org.junit.jupiter.api.Test;

import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

import java.util.List;
import java.util.Map;

class ItemWriterStateTest {

    @Test
    void waitingItemsComeBackWholeFromACheckpoint() throws Exception {
        Map<String, AttributeValue> item = Map.of(
                // The connector's own form ends at 65,535 bytes.
                "long", AttributeValue.builder().s("\u00e9".repeat(100_000)).build(),
                "empty", AttributeValue.builder().s("").build(),
                "n", AttributeValue.builder().n("-1.5E+100").build(),
                "b", AttributeValue.builder().b(SdkBytes.fromByteArray(new byte[] {0, -1})).build(),
                "none", AttributeValue.builder().b(SdkBytes.fromByteArray(new byte[0])).build(),
                "bool", AttributeValue.builder().bool(false).build(),
                "null", AttributeValue.builder().nul(true).build(),
                "m", AttributeValue.builder().m(Map.of("l", AttributeValue.builder().l(List.of()).build())).build(),
                "l", AttributeValue.builder().l(AttributeValue.builder().m(Map.of()).build()).build());
        DynamoDbWriteRequest request =
                DynamoDbWriteRequest.builder().setType(DynamoDbWriteRequestType.PUT).setItem(item).build();
        ItemWriterState.Serializer serializer = new ItemWriterState.Serializer();
        ItemWriterState state = serializer.deserialize(
                1,
                serializer.serialize(new ItemWriterState(
                        7, new BufferedRequestState<>(List.of(new RequestEntryWrapper<>(request, 3))))));
        assertEquals(7, state.acknowledged());
        RequestEntryWrapper<DynamoDbWriteRequest> entry = state.waiting().getBufferedRequestEntries().get(0);
        assertEquals(item, entry.getRequestEntry().getItem());
        assertEquals(DynamoDbWriteRequestType.PUT, entry.getRequestEntry().getType());
        assertEquals(3, entry.getSize());
    }
}
