package io.lindorm.flink.source;

import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;

/**
 * The text of a query and the values of its parameters, in order.
 *
 * <p>Ranges of keys are written out ({@code k1 >= ? AND (k1 > ? OR (k1 = ? AND k2 > ?))}) rather than as
 * row values ({@code (k1, k2) > (?, ?)}): a server turns the first condition into the start of its scan,
 * and none is sure to do so for row values. The text depends only on the shape of the range, so that a
 * prepared statement serves page after page.
 */
record ScanQuery(String sql, List<Object> parameters) {

    /** Lindorm takes a query without a condition on the first key column only with this hint. */
    private static final String ALLOW_FULL_SCAN = "_l_allow_filtering_";

    /**
     * The next page of a split.
     *
     * @param columns what to select
     * @param limit the most rows to return
     */
    static ScanQuery page(Scan scan, List<String> columns, KeyRangeSplit split, int limit) {
        PrimaryKey key = split.key();
        List<String> conditions = new ArrayList<>();
        List<Object> parameters = new ArrayList<>();
        addRange(split, conditions, parameters);
        addTimeRange(scan, conditions, parameters);
        if (scan.filter() != null) {
            // On lines of its own, so that a comment at its end cannot swallow what follows.
            conditions.add("(\n" + scan.filter() + "\n)");
        }
        List<String> hints = new ArrayList<>(timeLimit(scan));
        hints.addAll(fullScan(split));
        return select(hints, columns, scan, conditions, key, false, limit, parameters);
    }

    /**
     * One key of a range.
     *
     * @param rowsBefore how many keys to pass over; Lindorm takes at most 10,000
     * @param backwards whether to count from the range's end
     */
    static ScanQuery key(Scan scan, KeyRangeSplit range, int rowsBefore, boolean backwards) {
        PrimaryKey key = range.key();
        List<String> conditions = new ArrayList<>();
        List<Object> parameters = new ArrayList<>();
        addRange(range, conditions, parameters);
        if (key.get(0).name().equals(scan.timeColumn())) {
            addTimeRange(scan, conditions, parameters);
        }
        List<String> hints = conditions.isEmpty() ? List.of(ALLOW_FULL_SCAN) : fullScan(range);
        List<String> names = key.columns().stream().map(KeyColumn::name).toList();
        ScanQuery query = select(hints, names, scan, conditions, key, backwards, 1, parameters);
        return rowsBefore == 0 ? query : new ScanQuery(query.sql() + " OFFSET " + rowsBefore, parameters);
    }

    private static ScanQuery select(
            List<String> hints,
            List<String> columns,
            Scan scan,
            List<String> conditions,
            PrimaryKey key,
            boolean backwards,
            int limit,
            List<Object> parameters) {
        StringJoiner selected = new StringJoiner(", ");
        columns.forEach(column -> selected.add(quote(column)));
        StringJoiner order = new StringJoiner(", ");
        key.columns()
                .forEach(column -> order.add(quote(column.name()) + (column.descending() != backwards ? " DESC" : "")));
        String where = conditions.isEmpty() ? "" : " WHERE " + String.join(" AND ", conditions);
        String hint = hints.isEmpty() ? "" : "/*+ " + String.join(", ", hints) + " */ ";
        return new ScanQuery(
                "SELECT " + hint + selected + " FROM " + quote(scan.table()) + where + " ORDER BY " + order + " LIMIT "
                        + limit,
                parameters);
    }

    /** A statement is ended by the server itself where the user wants it to end earlier than it does of its own. */
    private static List<String> timeLimit(Scan scan) {
        return scan.timeout().compareTo(LindormOptions.DEFAULT_TIMEOUT) < 0
                ? List.of("_l_operation_timeout_(" + scan.timeout().toMillis() + ")")
                : List.of();
    }

    /** What is asked of NaN is not the start or the end of a scan to a server, though rows come in the key's order. */
    private static List<String> fullScan(KeyRangeSplit range) {
        Key start = range.lastKey() != null ? range.lastKey() : range.lower();
        return (start != null && isNaN(start.get(0)))
                        || (range.upper() != null && isNaN(range.upper().get(0)))
                ? List.of(ALLOW_FULL_SCAN)
                : List.of();
    }

    private static boolean isNaN(Object value) {
        return (value instanceof Double d && d.isNaN()) || (value instanceof Float f && f.isNaN());
    }

    private static void addRange(KeyRangeSplit range, List<String> conditions, List<Object> parameters) {
        if (range.lastKey() != null) {
            conditions.add(bound(range.key(), range.lastKey(), true, false, parameters));
        } else if (range.lower() != null) {
            conditions.add(bound(range.key(), range.lower(), true, true, parameters));
        }
        if (range.upper() != null) {
            conditions.add(bound(range.key(), range.upper(), false, false, parameters));
        }
    }

    private static void addTimeRange(Scan scan, List<String> conditions, List<Object> parameters) {
        if (scan.start() != null) {
            conditions.add(quote(scan.timeColumn()) + " >= ?");
            parameters.add(scan.start());
        }
        if (scan.end() != null) {
            conditions.add(quote(scan.timeColumn()) + " < ?");
            parameters.add(scan.end());
        }
    }

    /**
     * The rows on one side of a tuple in the table's order.
     *
     * @param after true for the rows after the tuple, false for those before it
     * @param inclusive whether the rows that begin with the tuple are in
     */
    private static String bound(PrimaryKey key, Key tuple, boolean after, boolean inclusive, List<Object> parameters) {
        String first = comparison(key.get(0), after, tuple.size() > 1 || inclusive, tuple.get(0), parameters);
        return tuple.size() == 1 ? first : first + " AND " + beyond(key, tuple, 0, after, inclusive, parameters);
    }

    private static String beyond(
            PrimaryKey key, Key tuple, int at, boolean after, boolean inclusive, List<Object> parameters) {
        KeyColumn column = key.get(at);
        Object value = tuple.get(at);
        if (at == tuple.size() - 1) {
            return comparison(column, after, inclusive, value, parameters);
        }
        return "(" + comparison(column, after, false, value, parameters) + " OR ("
                + comparison(column, "=", value, parameters) + " AND "
                + beyond(key, tuple, at + 1, after, inclusive, parameters) + "))";
    }

    private static String comparison(
            KeyColumn column, boolean after, boolean inclusive, Object value, List<Object> parameters) {
        String operator = (after != column.descending() ? ">" : "<") + (inclusive ? "=" : "");
        return comparison(column, operator, value, parameters);
    }

    /**
     * A comparison of a column with a value. NaN is never sent: whether a server compares it as the greatest number, as
     * Java and keys of bytes do, or finds every comparison with it false, as IEEE 754 has it, these conditions hold for the
     * same rows.
     */
    private static String comparison(KeyColumn column, String operator, Object value, List<Object> parameters) {
        String name = quote(column.name());
        if (!isNaN(value)) {
            parameters.add(value);
            return name + " " + operator + " ?";
        }
        Object infinity = value instanceof Float ? (Object) Float.POSITIVE_INFINITY : (Object) Double.POSITIVE_INFINITY;
        parameters.add(infinity);
        return switch (operator) {
            case "<" -> name + " <= ?";
            case "=", ">=" -> "NOT (" + name + " <= ?)";
            case "<=" -> {
                parameters.add(infinity);
                yield "(" + name + " <= ? OR NOT (" + name + " <= ?))";
            }
            default -> {
                // Nothing is greater.
                parameters.add(infinity);
                yield name + " <= ? AND NOT (" + name + " <= ?)";
            }
        };
    }

    /** An identifier in backticks: Lindorm's names may be reserved words, and are case-sensitive. */
    static String quote(String identifier) {
        return "`" + identifier.replace("`", "``") + "`";
    }
}
