package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/**
 * Which columns are read, and where the key is among them: first the columns that the query wants, then what of a row
 * cannot be read, if the query wants to know, then those columns of the key that it does not want but the scan cannot do
 * without.
 */
final class RowLayout {

    private static final int SHOWN = 100;

    private static final String NOT_ASKED_FOR =
            ", so the rows after it cannot be asked for; correct or delete that row in Lindorm";

    private final List<String> columns = new ArrayList<>();
    private final List<LogicalType> types = new ArrayList<>();
    private final ColumnReader[] readers;
    private final PrimaryKey key;
    private final List<KeyType<Object>> keyTypes;

    /** Where the key is in a row. */
    private final int[] keyAt;

    /** The columns, by their order in the query, that the scan cannot do without. */
    private final boolean[] inKey;

    /** How many of the columns the query wants. */
    private final int wanted;

    /** Whether a row says what of it cannot be read. */
    private final boolean tells;

    RowLayout(Wanted wantedColumns, PrimaryKey key) {
        columns.addAll(wantedColumns.columns().getFieldNames());
        types.addAll(wantedColumns.columns().getChildren());
        wanted = columns.size();
        tells = wantedColumns.unreadable();
        this.key = key;
        keyTypes = key.columns().stream().map(KeyColumn::keyType).toList();
        keyAt = new int[key.size()];
        for (int i = 0; i < keyAt.length; i++) {
            KeyColumn column = key.get(i);
            if (!columns.contains(column.name())) {
                columns.add(column.name());
                types.add(LindormType.flinkType(column.type()));
            }
            keyAt[i] = inRow(columns.indexOf(column.name()));
        }
        inKey = new boolean[columns.size()];
        key.columns().forEach(column -> inKey[columns.indexOf(column.name())] = true);
        readers = types.stream().map(ColumnReader::of).toArray(ColumnReader[]::new);
    }

    /** The layout of the key alone. */
    static RowLayout ofKey(PrimaryKey key) {
        return new RowLayout(new Wanted(RowType.of(), false), key);
    }

    private int inRow(int column) {
        return column < wanted || !tells ? column : column + 1;
    }

    /** What to select. */
    List<String> columns() {
        return columns;
    }

    /**
     * Reads the row that the cursor is on, with all columns.
     *
     * @throws UserError where a value cannot be read and the query does not want to know, or it is one of the key
     * @throws SQLException where the connection is at fault
     */
    GenericRowData read(ResultSet rows) throws SQLException {
        GenericRowData row = new GenericRowData(readers.length + (tells ? 1 : 0));
        for (int i = 0; i < readers.length; i++) {
            Object value;
            try {
                value = readers[i].read(rows, i + 1);
            } catch (SQLException e) {
                if (e.getSQLState() != null && e.getSQLState().startsWith("08")) {
                    throw e;
                }
                value = null;
                tellUnreadable(row, i, rows, e);
            }
            if (value == null && inKey[i]) {
                throw new UserError("a row has NULL in the key column `" + columns.get(i) + "`" + NOT_ASKED_FOR);
            }
            row.setField(inRow(i), value);
        }
        return row;
    }

    private void tellUnreadable(GenericRowData row, int i, ResultSet rows, SQLException refusal) {
        String shown = shown(rows, i);
        if (inKey[i]) {
            throw new UserError(
                    "a row has " + shown + " in the key column `" + columns.get(i) + "`, which cannot be read as "
                            + types.get(i) + NOT_ASKED_FOR,
                    refusal);
        }
        if (!tells) {
            throw new UserError(
                    "a row has " + shown + " in the column `" + columns.get(i) + "`, which cannot be read as "
                            + types.get(i) + ": " + refusal.getMessage()
                            + ". To be told of such rows instead, declare a column of"
                            + " type STRING METADATA FROM '" + LindormTableSource.UNREADABLE + "'",
                    refusal);
        }
        if (row.isNullAt(wanted)) {
            row.setField(
                    wanted,
                    StringData.fromString(ColumnReader.unreadable(types.get(i)) + ": column " + columns.get(i) + " is "
                            + shown + ", which cannot be read as " + types.get(i)));
        }
    }

    /** A value as the server sent it, or as near to that as the driver lets it be seen. */
    private static String shown(ResultSet rows, int column) {
        String text;
        try {
            text = rows.getString(column + 1);
        } catch (SQLException e) {
            text = "something that the driver does not show";
        }
        return "'" + (text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "…") + "'";
    }

    /** About how many bytes a row that {@link #read} gave takes. */
    long sizeOf(GenericRowData row) {
        long bytes = 16L * row.getArity();
        for (int i = 0; i < row.getArity(); i++) {
            Object value = row.getField(i);
            if (value instanceof BinaryStringData text) {
                bytes += text.getSizeInBytes();
            } else if (value instanceof byte[] binary) {
                bytes += binary.length;
            }
        }
        return bytes;
    }

    /** The key of a row that {@link #read} gave. */
    Key keyOf(GenericRowData row) {
        Object[] values = new Object[keyAt.length];
        for (int i = 0; i < keyAt.length; i++) {
            values[i] = keyTypes.get(i).ofRow(row.getField(keyAt[i]));
        }
        return Key.of(values);
    }

    /** Whether, by their keys, one row that {@link #read} gave comes before another, or may. */
    boolean isInOrder(GenericRowData first, GenericRowData second) {
        for (int i = 0; i < keyAt.length; i++) {
            Object a = first.getField(keyAt[i]);
            Object b = second.getField(keyAt[i]);
            int order = keyTypes.get(i).compareInRows(a, b);
            if (order != 0) {
                return order < 0 != key.get(i).descending()
                        || keyTypes.get(i)
                                .isEitherFirst(
                                        keyTypes.get(i).ofRow(a),
                                        keyTypes.get(i).ofRow(b));
            }
        }
        return false;
    }

    /** Of a row that {@link #read} gave, what the query wants. */
    RowData project(GenericRowData row) {
        if (wanted == readers.length) {
            return row;
        }
        GenericRowData projected = new GenericRowData(inRow(wanted));
        for (int i = 0; i < projected.getArity(); i++) {
            projected.setField(i, row.getField(i));
        }
        return projected;
    }
}
