package io.lindorm.flink.source;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableSet;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.apache.flink.table.data.GenericRowData;

/** A table in memory whose rows are their keys in Flink's own form, for tests of what is built on {@link TableReader}. */
class MemoryTable implements TableReader {

    private final PrimaryKey key;
    private final NavigableSet<Key> rows;
    private final boolean backwards;
    private final Consumer<Boolean> onQuery;

    /** Which rows a page returns; lookups see all. */
    Predicate<Key> filter = row -> true;

    /** How many rows a read of a page may pass over. */
    int mostPassedOver = Integer.MAX_VALUE;

    int lookups;
    int timeouts;

    MemoryTable(PrimaryKey key, NavigableSet<Key> rows, boolean backwards) {
        this(key, rows, backwards, page -> {});
    }

    /**
     * @param backwards whether the last key can be asked for
     * @param onQuery is told of each query, and whether it is for a page; takes the time that it takes
     */
    MemoryTable(PrimaryKey key, NavigableSet<Key> rows, boolean backwards, Consumer<Boolean> onQuery) {
        this.key = key;
        this.rows = rows;
        this.backwards = backwards;
        this.onQuery = onQuery;
    }

    /** What is left of a range. */
    NavigableSet<Key> left(KeyRangeSplit range) {
        NavigableSet<Key> left = rows;
        if (range.lastKey() != null) {
            left = left.tailSet(range.lastKey(), false);
        } else if (range.lower() != null) {
            left = left.tailSet(range.lower(), true);
        }
        if (range.upper() == null) {
            return left;
        }
        return left.isEmpty() || key.compare(left.first(), range.upper()) >= 0
                ? new java.util.TreeSet<>()
                : left.headSet(range.upper(), false);
    }

    @Override
    public Key nth(KeyRangeSplit range, int rowsBefore) {
        lookups++;
        onQuery.accept(false);
        return left(range).stream().skip(rowsBefore).findFirst().orElse(null);
    }

    @Override
    public Key last(KeyRangeSplit range) {
        if (!backwards) {
            throw new UnsupportedOperationException();
        }
        lookups++;
        onQuery.accept(false);
        NavigableSet<Key> left = left(range);
        return left.isEmpty() ? null : left.last();
    }

    @Override
    public List<GenericRowData> page(KeyRangeSplit range, IntSupplier limit, boolean oneTimeoutEnough)
            throws IOException, TimedOut {
        onQuery.accept(true);
        List<GenericRowData> page = new ArrayList<>();
        int passed = 0;
        for (Key row : left(range)) {
            if (++passed > mostPassedOver) {
                timeouts++;
                if (oneTimeoutEnough) {
                    throw new TimedOut(null);
                }
                throw new IOException("timed out for good");
            }
            if (filter.test(row)) {
                page.add(toRow(row));
                if (page.size() == limit.getAsInt()) {
                    break;
                }
            }
        }
        return page;
    }

    /** A key as a row of Flink's. */
    static GenericRowData toRow(Key key) {
        return GenericRowData.of(IntStream.range(0, key.size())
                .mapToObj(i -> internal(key.get(i)))
                .toArray());
    }

    private static Object internal(Object value) {
        if (value instanceof String text) {
            return org.apache.flink.table.data.StringData.fromString(text);
        }
        if (value instanceof java.math.BigDecimal decimal) {
            return org.apache.flink.table.data.DecimalData.fromBigDecimal(decimal, 38, decimal.scale());
        }
        if (value instanceof java.time.LocalDateTime time) {
            return org.apache.flink.table.data.TimestampData.fromLocalDateTime(time);
        }
        if (value instanceof java.time.LocalDate date) {
            return (int) date.toEpochDay();
        }
        if (value instanceof java.time.LocalTime time) {
            return (int) (time.toNanoOfDay() / 1_000_000);
        }
        return value instanceof byte[] bytes ? Arrays.copyOf(bytes, bytes.length) : value;
    }

    @Override
    public boolean waitFor(long millis) {
        return true;
    }

    @Override
    public void interrupt() {}

    @Override
    public boolean takeInterrupt() {
        return false;
    }

    @Override
    public void close() {}
}
