package io.lindorm.flink.source;

import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * Which columns are read, and where the key is among them: first the columns that the query wants, then
 * those of the key that it does not want but the scan cannot do without.
 */
final class RowLayout {

    private final List<String> columns = new ArrayList<>();
    private final List<LogicalType> types = new ArrayList<>();
    private final LindormType.Reader[] readers;
    private final int[] keyAt;
    private final int wanted;

    RowLayout(RowType wantedColumns, List<KeyColumn> key) {
        columns.addAll(wantedColumns.getFieldNames());
        types.addAll(wantedColumns.getChildren());
        wanted = columns.size();
        keyAt = new int[key.size()];
        for (int i = 0; i < keyAt.length; i++) {
            KeyColumn column = key.get(i);
            if (!columns.contains(column.name())) {
                columns.add(column.name());
                types.add(LindormType.flinkType(column.type()));
            }
            keyAt[i] = columns.indexOf(column.name());
        }
        readers = types.stream().map(LindormType::reader).toArray(LindormType.Reader[]::new);
    }

    /** The layout of the key alone. */
    static RowLayout ofKey(List<KeyColumn> key) {
        return new RowLayout(RowType.of(), key);
    }

    /** What to select. */
    List<String> columns() {
        return columns;
    }

    /** Reads the row that the cursor is on, with all columns. */
    GenericRowData read(ResultSet rows) throws SQLException {
        GenericRowData row = new GenericRowData(readers.length);
        for (int i = 0; i < readers.length; i++) {
            row.setField(i, readers[i].read(rows, i + 1));
        }
        return row;
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
    List<Object> keyOf(GenericRowData row) {
        List<Object> key = new ArrayList<>(keyAt.length);
        for (int at : keyAt) {
            key.add(KeyValues.ofRow(row.getField(at), types.get(at), columns.get(at)));
        }
        return key;
    }

    /** Of a row that {@link #read} gave, what the query wants. */
    RowData project(GenericRowData row) {
        if (wanted == readers.length) {
            return row;
        }
        GenericRowData projected = new GenericRowData(wanted);
        for (int i = 0; i < wanted; i++) {
            projected.setField(i, row.getField(i));
        }
        return projected;
    }
}
