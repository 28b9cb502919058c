package io.lindorm.flink.source;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * How checkpoints hold key values, by their classes: a tag, and the value. A tag keeps its meaning for good; the version
 * is that of {@link KeyRangeSplitSerializer}.
 */
enum StoredValue {
    BOOLEAN('?', Boolean.class, (value, out) -> out.writeBoolean((Boolean) value), DataInput::readBoolean),
    LONG('L', Long.class, (value, out) -> out.writeLong((Long) value), DataInput::readLong),
    DECIMAL('D', BigDecimal.class, StoredValue::writeDecimal, StoredValue::readDecimal),
    FLOAT('f', Float.class, (value, out) -> out.writeFloat((Float) value), DataInput::readFloat),
    DOUBLE('d', Double.class, (value, out) -> out.writeDouble((Double) value), DataInput::readDouble),
    TEXT(
            'S',
            String.class,
            (value, out) -> writeBytes(((String) value).getBytes(StandardCharsets.UTF_8), out),
            in -> new String(readBytes(in), StandardCharsets.UTF_8)),
    BYTES('B', byte[].class, (value, out) -> writeBytes((byte[]) value, out), StoredValue::readBytes),
    TIMESTAMP('T', LocalDateTime.class, StoredValue::writeTime, StoredValue::readTime),
    DATE(
            'y',
            LocalDate.class,
            (value, out) -> out.writeLong(((LocalDate) value).toEpochDay()),
            in -> LocalDate.ofEpochDay(in.readLong())),
    TIME(
            't',
            LocalTime.class,
            (value, out) -> out.writeLong(((LocalTime) value).toNanoOfDay()),
            in -> LocalTime.ofNanoOfDay(in.readLong()));

    private interface Writer {
        void write(Object value, DataOutput out) throws IOException;
    }

    private interface Reader {
        Object read(DataInput in) throws IOException;
    }

    private static final Map<Class<?>, StoredValue> BY_CLASS =
            Arrays.stream(values()).collect(Collectors.toMap(form -> form.valueClass, Function.identity()));

    private static final Map<Byte, StoredValue> BY_TAG =
            Arrays.stream(values()).collect(Collectors.toMap(form -> form.tag, Function.identity()));

    private final byte tag;
    private final Class<?> valueClass;
    private final Writer writer;
    private final Reader reader;

    StoredValue(char tag, Class<?> valueClass, Writer writer, Reader reader) {
        this.tag = (byte) tag;
        this.valueClass = valueClass;
        this.writer = writer;
        this.reader = reader;
    }

    static void write(Object value, DataOutput out) throws IOException {
        StoredValue form = BY_CLASS.get(value.getClass());
        if (form == null) {
            throw new IOException("no key value: " + value.getClass());
        }
        out.writeByte(form.tag);
        form.writer.write(value, out);
    }

    static Object read(DataInput in) throws IOException {
        byte tag = in.readByte();
        StoredValue form = BY_TAG.get(tag);
        if (form == null) {
            throw new IOException("unknown kind of key value: " + tag);
        }
        return form.reader.read(in);
    }

    private static void writeDecimal(Object value, DataOutput out) throws IOException {
        out.writeInt(((BigDecimal) value).scale());
        writeBytes(((BigDecimal) value).unscaledValue().toByteArray(), out);
    }

    private static Object readDecimal(DataInput in) throws IOException {
        int scale = in.readInt();
        return new BigDecimal(new BigInteger(readBytes(in)), scale);
    }

    private static void writeTime(Object value, DataOutput out) throws IOException {
        out.writeLong(((LocalDateTime) value).toEpochSecond(ZoneOffset.UTC));
        out.writeInt(((LocalDateTime) value).getNano());
    }

    private static Object readTime(DataInput in) throws IOException {
        long second = in.readLong();
        return LocalDateTime.ofEpochSecond(second, in.readInt(), ZoneOffset.UTC);
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
}
