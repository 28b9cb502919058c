package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.apache.flink.table.types.logical.RowType;

/** Looks at the table once, checks that it can be read as declared, and cuts it into splits. */
final class SplitPlanner {

    private SplitPlanner() {}

    /**
     * Cuts the table into splits.
     *
     * @param wanted the columns that the query asks for, with the types it declares
     * @param splits how many splits are wanted where the user gives no points
     * @return the splits in the table's order; none where no row can be in range
     * @throws UserError where the table is not as declared
     */
    static List<KeyRangeSplit> plan(Server server, Scan scan, Wanted wanted, int splits) throws IOException {
        try (LindormTable rows = new LindormTable(server, scan, wanted, false, () -> {})) {
            TableDescription table = rows.describe(server);
            check(table, scan, wanted.columns());
            if (scan.isEmpty()) {
                return List.of();
            }
            PrimaryKey key = table.key();
            Key firstKey = rows.first(KeyRangeSplit.of("", key, null, null));
            if (firstKey == null) {
                return List.of();
            }
            return cut(rows, KeyRangeSplit.of("", key, firstKey.prefix(1), null), scan, splits);
        }
    }

    /**
     * Cuts a range, at the user's points where there are some.
     *
     * @param range what to cut; its {@code lower} is the first value of the first column
     */
    static List<KeyRangeSplit> cut(KeyLookups rows, KeyRangeSplit range, Scan scan, int splits) throws IOException {
        PrimaryKey key = range.key();
        List<Key> cuts = scan.splitPoints().isEmpty()
                ? new KeyCuts(rows, scan.pageSize()).plan(range, splits)
                : given(scan, key.get(0), range.lower().get(0));
        List<KeyRangeSplit> result = new ArrayList<>();
        Key lower = range.lower();
        for (int i = 0; i <= cuts.size(); i++) {
            Key upper = i < cuts.size() ? cuts.get(i) : range.upper();
            result.add(KeyRangeSplit.of(Integer.toString(i), key, lower, upper));
            lower = upper;
        }
        return result;
    }

    private static void check(TableDescription table, Scan scan, RowType wanted) {
        if (table.key().size() == 0) {
            throw new UserError("DESCRIBE names no primary key for table `" + scan.table() + "` at " + scan.url()
                    + "; only tables made by Lindorm SQL can be read");
        }
        if (table.hash() != null) {
            throw new UserError("the primary key of table `" + scan.table() + "` begins with " + table.hash()
                    + ": Lindorm reads such a table only by whole key values and refuses ranges of keys, so it cannot be"
                    + " scanned. Copy it into a table without the hash, or export it with Lindorm's own tools (LTS)");
        }
        List<String> names = new ArrayList<>(wanted.getFieldNames());
        if (scan.timeColumn() != null) {
            names.add(scan.timeColumn());
        }
        for (String name : names) {
            if (!table.columns().containsKey(name)) {
                throw new UserError("table `" + scan.table() + "` has no column `" + name + "`; it has "
                        + String.join(", ", table.columns().keySet()));
            }
        }
        for (KeyColumn column : table.key().columns()) {
            int at = wanted.getFieldIndex(column.name());
            try {
                if (at >= 0 && !LindormType.keepsKeys(wanted.getTypeAt(at), column.type())) {
                    throw new UserError("the key column `" + column.name() + "` is declared as " + wanted.getTypeAt(at)
                            + ", but is " + column.type() + " in Lindorm; declare it as "
                            + LindormType.flinkType(column.type()));
                }
                column.keyType();
            } catch (IllegalArgumentException e) {
                throw new UserError(
                        "the key column `" + column.name() + "` of table `" + scan.table() + "` cannot be read: "
                                + e.getMessage(),
                        e);
            }
        }
    }

    /** The user's points, in the table's order, without those that no row lies before. */
    private static List<Key> given(Scan scan, KeyColumn column, Object first) {
        TreeSet<Object> points = new TreeSet<>(column::compare);
        for (String text : scan.splitPoints()) {
            try {
                points.add(column.keyType().parse(text, column.type()));
            } catch (IllegalArgumentException e) {
                throw new UserError(
                        "the split point " + e.getMessage() + ", the type of the first key column `" + column.name()
                                + "`",
                        e);
            }
        }
        return points.tailSet(first, false).stream().map(Key::of).toList();
    }
}
