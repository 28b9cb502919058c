package io.lindorm.flink.items;

import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequest;
import org.apache.flink.connector.dynamodb.sink.DynamoDbWriteRequestType;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Puts of items, as bytes.
 *
 * <p>The connector's own serializer writes text with {@code writeUTF} and so cannot hold one of more than
 * 65,535 bytes, which would fail every checkpoint while such an item waits; items may have 400 KB. Nor has
 * it a copy that costs nothing, which Flink asks for between chained operators: nobody changes an item
 * once it is made, so the copy is the item.
 */
final class ItemSerializer extends TypeSerializerSingleton<DynamoDbWriteRequest> {

    private static final long serialVersionUID = 1L;

    static final ItemSerializer INSTANCE = new ItemSerializer();

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public DynamoDbWriteRequest createInstance() {
        return put(new HashMap<>());
    }

    @Override
    public DynamoDbWriteRequest copy(DynamoDbWriteRequest from) {
        return from;
    }

    @Override
    public DynamoDbWriteRequest copy(DynamoDbWriteRequest from, DynamoDbWriteRequest reuse) {
        return from;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(DynamoDbWriteRequest record, DataOutputView target) throws IOException {
        write(record.getItem(), target);
    }

    @Override
    public DynamoDbWriteRequest deserialize(DataInputView source) throws IOException {
        return put(readMap(source));
    }

    @Override
    public DynamoDbWriteRequest deserialize(DynamoDbWriteRequest reuse, DataInputView source) throws IOException {
        return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    private static DynamoDbWriteRequest put(Map<String, AttributeValue> item) {
        return DynamoDbWriteRequest.builder().setType(DynamoDbWriteRequestType.PUT).setItem(item).build();
    }

    private static void write(Map<String, AttributeValue> map, DataOutput out) throws IOException {
        out.writeInt(map.size());
        for (Map.Entry<String, AttributeValue> entry : map.entrySet()) {
            writeBytes(entry.getKey().getBytes(StandardCharsets.UTF_8), out);
            write(entry.getValue(), out);
        }
    }

    private static void write(AttributeValue value, DataOutput out) throws IOException {
        out.writeByte(value.type().ordinal());
        switch (value.type()) {
            case S -> writeBytes(value.s().getBytes(StandardCharsets.UTF_8), out);
            case N -> writeBytes(value.n().getBytes(StandardCharsets.UTF_8), out);
            case B -> writeBytes(value.b().asByteArrayUnsafe(), out);
            case BOOL -> out.writeBoolean(value.bool());
            case NUL -> { }
            case M -> write(value.m(), out);
            case L -> {
                out.writeInt(value.l().size());
                for (AttributeValue element : value.l()) {
                    write(element, out);
                }
            }
            default -> throw new IOException("no attribute of an item is made as " + value.type());
        }
    }

    private static Map<String, AttributeValue> readMap(DataInput in) throws IOException {
        int size = in.readInt();
        Map<String, AttributeValue> map = new HashMap<>(size * 4 / 3 + 1);
        for (int i = 0; i < size; i++) {
            map.put(new String(readBytes(in), StandardCharsets.UTF_8), readValue(in));
        }
        return map;
    }

    private static AttributeValue readValue(DataInput in) throws IOException {
        AttributeValue.Type type = AttributeValue.Type.values()[in.readByte()];
        AttributeValue.Builder value = AttributeValue.builder();
        switch (type) {
            case S -> value.s(new String(readBytes(in), StandardCharsets.UTF_8));
            case N -> value.n(new String(readBytes(in), StandardCharsets.UTF_8));
            case B -> value.b(SdkBytes.fromByteArrayUnsafe(readBytes(in)));
            case BOOL -> value.bool(in.readBoolean());
            case NUL -> value.nul(true);
            case M -> value.m(readMap(in));
            case L -> {
                int size = in.readInt();
                List<AttributeValue> list = new ArrayList<>(size);
                for (int i = 0; i < size; i++) {
                    list.add(readValue(in));
                }
                value.l(list);
            }
            default -> throw new IOException("no attribute of an item is made as " + type);
        }
        return value.build();
    }

    private static void writeBytes(byte[] bytes, DataOutput out) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static byte[] readBytes(DataInput in) throws IOException {
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        return bytes;
    }

    @Override
    public TypeSerializerSnapshot<DynamoDbWriteRequest> snapshotConfiguration() {
        return new Snapshot();
    }

    /** Public because Flink makes it by name. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<DynamoDbWriteRequest> {
        public Snapshot() {
            super(() -> INSTANCE);
        }
    }
}
