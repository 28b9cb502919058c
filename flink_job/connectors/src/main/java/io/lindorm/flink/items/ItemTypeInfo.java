package io.lindorm.flink.items;

import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequest;

/** Tells Flink to use {@link ItemSerializer}; by itself it would fall back to Kryo, copies included. */
final class ItemTypeInfo extends TypeInformation<DynamoDbWriteRequest> {

    private static final long serialVersionUID = 1L;

    @Override
    public boolean isBasicType() {
        return false;
    }

    @Override
    public boolean isTupleType() {
        return false;
    }

    @Override
    public int getArity() {
        return 1;
    }

    @Override
    public int getTotalFields() {
        return 1;
    }

    @Override
    public Class<DynamoDbWriteRequest> getTypeClass() {
        return DynamoDbWriteRequest.class;
    }

    @Override
    public boolean isKeyType() {
        return false;
    }

    @Override
    public TypeSerializer<DynamoDbWriteRequest> createSerializer(SerializerConfig config) {
        return ItemSerializer.INSTANCE;
    }

    @Override
    @Deprecated
    public TypeSerializer<DynamoDbWriteRequest> createSerializer(ExecutionConfig config) {
        return ItemSerializer.INSTANCE;
    }

    @Override
    public String toString() {
        return "Item";
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ItemTypeInfo;
    }

    @Override
    public int hashCode() {
        return ItemTypeInfo.class.hashCode();
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof ItemTypeInfo;
    }
}
