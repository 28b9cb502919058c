package io.lindorm.flink.source;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;

/** Random keys of every type, for property tests. A seed says which. */
final class RandomKeys {

    private RandomKeys() {}

    enum Type {
        BOOLEAN("BOOLEAN"),
        INTEGER("INTEGER"),
        BIGINT("BIGINT"),
        UNSIGNED("BIGINT UNSIGNED"),
        DECIMAL("DECIMAL(38,6)"),
        FLOAT("FLOAT"),
        DOUBLE("DOUBLE"),
        VARCHAR("VARCHAR"),
        VARBINARY("VARBINARY"),
        TIMESTAMP("TIMESTAMP"),
        DATE("DATE"),
        TIME("TIME");

        private final String lindormType;

        Type(String lindormType) {
            this.lindormType = lindormType;
        }

        String lindormType() {
            return lindormType;
        }

        /** A value: near others in some draws, at the ends of the type in some, anywhere in the rest. */
        Object value(Random random) {
            int kind = random.nextInt(10);
            switch (this) {
                case BOOLEAN:
                    return random.nextBoolean();
                case INTEGER:
                    return kind == 0
                            ? (long) Integer.MIN_VALUE
                            : kind == 1
                                    ? (long) Integer.MAX_VALUE
                                    : kind < 6 ? random.nextInt(50) : (long) random.nextInt();
                case BIGINT:
                    return kind == 0
                            ? Long.MIN_VALUE
                            : kind == 1
                                    ? Long.MAX_VALUE
                                    : kind < 6 ? 1_672_531_200_000L + random.nextInt(100_000) : random.nextLong();
                case UNSIGNED:
                    return kind == 0
                            ? new BigDecimal("18446744073709551615")
                            : kind < 6
                                    ? BigDecimal.valueOf(random.nextInt(1000))
                                    : new BigDecimal(new BigInteger(64, random));
                case DECIMAL:
                    BigInteger unscaled =
                            kind < 6 ? BigInteger.valueOf(random.nextInt(100_000)) : new BigInteger(125, random);
                    return new BigDecimal(random.nextBoolean() ? unscaled : unscaled.negate(), 6);
                case FLOAT:
                    return kind == 0
                            ? Float.MAX_VALUE
                            : kind == 1
                                    ? -Float.MAX_VALUE
                                    : kind == 2
                                            ? Float.NEGATIVE_INFINITY
                                            : kind < 6 ? random.nextFloat() : (float) (random.nextGaussian() * 1e20);
                case DOUBLE:
                    return kind == 0
                            ? Double.MAX_VALUE
                            : kind == 1
                                    ? -Double.MAX_VALUE
                                    : kind == 2
                                            ? Double.POSITIVE_INFINITY
                                            : kind == 3
                                                    ? -0.0
                                                    : kind < 6 ? random.nextDouble() : random.nextGaussian() * 1e200;
                case VARCHAR:
                    return text(random, kind);
                case VARBINARY:
                    byte[] bytes = new byte[random.nextInt(6)];
                    random.nextBytes(bytes);
                    return bytes;
                case TIMESTAMP:
                    return kind == 0
                            ? LocalDateTime.of(1, 1, 1, 0, 0)
                            : kind == 1
                                    ? LocalDateTime.of(9999, 12, 31, 23, 59, 59, 999_000_000)
                                    : LocalDateTime.ofEpochSecond(
                                            kind < 6 ? random.nextInt(1000) : random.nextInt(),
                                            random.nextInt(1000) * 1_000_000,
                                            ZoneOffset.UTC);
                case DATE:
                    return LocalDate.ofEpochDay(kind < 6 ? random.nextInt(100) : random.nextInt(2_000_000));
                default:
                    return LocalTime.ofSecondOfDay(random.nextInt(86_400));
            }
        }

        private static String text(Random random, int kind) {
            int length = random.nextInt(5);
            StringBuilder text = new StringBuilder(kind < 6 ? "device-" : "");
            for (int i = 0; i < length; i++) {
                switch (kind % 3) {
                    case 0 -> text.append((char) ('0' + random.nextInt(10)));
                    case 1 -> text.append((char) (' ' + random.nextInt(95)));
                    default -> {
                        int c = random.nextInt(Character.MAX_CODE_POINT + 1 - 0x800);
                        text.appendCodePoint(c < Character.MIN_SURROGATE ? c : c + 0x800);
                    }
                }
            }
            return text.toString();
        }
    }

    static String show(Object value) {
        return value instanceof byte[] ? HexFormat.of().formatHex((byte[]) value) : String.valueOf(value);
    }

    /** A key of one to five columns of random types and directions. */
    static PrimaryKey columns(Random random) {
        List<KeyColumn> columns = new ArrayList<>();
        for (int i = random.nextInt(5); i >= 0; i--) {
            Type type = Type.values()[random.nextInt(Type.values().length)];
            columns.add(new KeyColumn("k" + columns.size(), type.lindormType(), random.nextBoolean()));
        }
        return new PrimaryKey(columns);
    }

    /** Distinct keys in the table's order; the first columns of many are the same. */
    static TreeSet<Key> table(PrimaryKey key, int rows, Random random) {
        Object[][] values = new Object[key.size()][];
        for (int i = 0; i < key.size(); i++) {
            Type type = typeOf(key.get(i));
            values[i] = new Object[i == key.size() - 1 ? rows : 1 + random.nextInt(random.nextBoolean() ? 3 : 30)];
            Arrays.setAll(values[i], n -> type.value(random));
        }
        TreeSet<Key> table = new TreeSet<>(key::compare);
        for (int n = 0; n < rows; n++) {
            table.add(Key.of(Arrays.stream(values)
                    // The smaller of two draws: some values have far more rows than others.
                    .map(some -> some[Math.min(random.nextInt(some.length), random.nextInt(some.length))])
                    .toArray()));
        }
        return table;
    }

    private static Type typeOf(KeyColumn column) {
        return Arrays.stream(Type.values())
                .filter(t -> t.lindormType().equals(column.type()))
                .findFirst()
                .orElseThrow();
    }
}
