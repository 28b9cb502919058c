package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.util.HexFormat;
import java.util.List;
import org.apache.flink.table.data.GenericRowData;

/**
 * Checks that what a server returns comes in the order that this job cuts the table by. Each row that is in order, and
 * within the bounds of its range, comes once: ranges are apart in that order. A server that orders a column otherwise,
 * say text by a collation that ignores case, would return rows for two ranges, and nothing else would tell.
 */
final class KeyOrder {

    /** Values are shown up to so many characters. */
    private static final int SHOWN = 80;

    private final String table;
    private final PrimaryKey key;

    KeyOrder(String table, PrimaryKey key) {
        this.table = table;
        this.key = key;
    }

    /**
     * Checks rows that were asked for as the next of a range.
     *
     * @throws UserError where they do not ascend, or not all are in the range
     */
    void check(KeyRangeSplit range, List<GenericRowData> rows, RowLayout layout) {
        if (rows.isEmpty()) {
            return;
        }
        for (int i = 1; i < rows.size(); i++) {
            if (!layout.isInOrder(rows.get(i - 1), rows.get(i))) {
                throw disorder(layout.keyOf(rows.get(i - 1)), layout.keyOf(rows.get(i)));
            }
        }
        // The rest lies between these two.
        checkStart(range, layout.keyOf(rows.get(0)));
        checkEnd(range, layout.keyOf(rows.get(rows.size() - 1)));
    }

    /**
     * Checks a key that was asked for as one of a range.
     *
     * @throws UserError where it is not in the range
     */
    void check(KeyRangeSplit range, Key found) {
        checkStart(range, found);
        checkEnd(range, found);
    }

    private void checkStart(KeyRangeSplit range, Key found) {
        if (range.lastKey() != null && !isBefore(range.lastKey(), found, false)) {
            throw disorder(range.lastKey(), found);
        }
        if (range.lastKey() == null && range.lower() != null && !isBefore(range.lower(), found, true)) {
            throw disorder(range.lower(), found);
        }
    }

    private void checkEnd(KeyRangeSplit range, Key found) {
        if (range.upper() != null && !isBefore(found, range.upper(), false)) {
            throw disorder(found, range.upper());
        }
    }

    /** Whether a key comes before another, or may; one that has only the first columns is before all that begin so. */
    private boolean isBefore(Key a, Key b, boolean orSame) {
        for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
            int order = key.get(i).compare(a.get(i), b.get(i));
            if (order != 0) {
                return order < 0 || key.get(i).keyType().isEitherFirst(a.get(i), b.get(i));
            }
        }
        return a.size() < b.size() || (a.size() == b.size() && orSame);
    }

    private UserError disorder(Key first, Key second) {
        KeyColumn column = key.get(key.firstDifference(first, second));
        return new UserError("the rows of table `" + table + "` do not come in the order of their key: the server puts "
                + shown(first) + " before " + shown(second) + ", but by column `" + column.name() + "` ("
                + column.type()
                + (column.descending() ? ", descending" : "")
                + ") it does not come first. Rows would be read twice, so the"
                + " import stops. This job expects numbers and times in the order of their values, and text in that of its"
                + " bytes: copy the table into one whose key has such a column, without a collation that ignores case,"
                + " accents or spaces at the end, and import that");
    }

    private String shown(Key found) {
        StringBuilder shown = new StringBuilder("(");
        for (int i = 0; i < found.size(); i++) {
            Object value = found.get(i);
            String text = value instanceof byte[] bytes ? "0x" + HexFormat.of().formatHex(bytes) : value.toString();
            String cut = text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "…";
            shown.append(i == 0 ? "" : ", ")
                    .append(key.get(i).name())
                    .append(" = ")
                    .append(value instanceof String ? "'" + cut + "'" : cut);
        }
        return shown.append(")").toString();
    }
}
