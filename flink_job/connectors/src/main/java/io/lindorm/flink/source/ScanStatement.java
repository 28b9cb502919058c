package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The option {@code scan.query}: {@code SELECT columns FROM table WHERE condition}. What it selects and filters is taken
 * over; how it is read, in what order and in which pages, is the scan's own business.
 *
 * <p>Comparisons of a TIMESTAMP column with a constant that the whole condition rests on become the scan's time range.
 * The rest of the condition goes to Lindorm as it is. A time without a zone means UTC there, as in the scan's session.
 *
 * @param columns the selected columns, or null for all
 * @param table the table
 * @param timeColumn the column of the time range, or null for no range
 * @param bounds the time range
 * @param filter the rest of the condition, or null
 */
record ScanStatement(List<String> columns, String table, String timeColumn, TimeBounds bounds, String filter) {

    private record Token(String text, int start, int end) {

        boolean is(String word) {
            return text.equalsIgnoreCase(word);
        }

        boolean isName() {
            return text.startsWith("`") || text.matches("[\\p{L}_$][\\p{L}\\p{N}_$]*");
        }

        String name() {
            return text.startsWith("`") ? text.substring(1, text.length() - 1).replace("``", "`") : text;
        }
    }

    private static final Pattern TOKEN = Pattern.compile(
            "\\s+|--[^\\n]*|#[^\\n]*|(?<hint>/\\*\\+)|/\\*.*?\\*/"
                    + "|(?<token>'(?:[^'\\\\]|\\\\.|'')*'|\"(?:[^\"\\\\]|\\\\.|\"\")*\"|`(?:[^`]|``)*`"
                    + "|[\\p{L}_$][\\p{L}\\p{N}_$]*|-?\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|<=>|<=|>=|<>|!=|\\|\\||.)",
            Pattern.DOTALL);

    private static final Set<String> NOT_TAKEN_OVER =
            Set.of("GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "UNION", "JOIN", "WINDOW");

    private static final Map<String, String> MIRRORED = Map.of(">", "<", ">=", "<=", "<", ">", "<=", ">=", "=", "=");

    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern(
            "uuuu-MM-dd[[ ]['T']HH:mm:ss[.SSSSSSSSS][.SSSSSS][.SSS][.SS][.S]]", Locale.ROOT);

    /**
     * Reads a query.
     *
     * @param timestampColumns the table's columns that are TIMESTAMPs
     * @throws UserError where the query is more than such a SELECT
     */
    static ScanStatement parse(String sql, Set<String> timestampColumns) {
        List<Token> tokens = tokens(sql);
        int from = find(tokens, "FROM");
        if (tokens.isEmpty() || !tokens.get(0).is("SELECT") || from < 2) {
            throw wrong("it must be SELECT columns FROM table WHERE condition");
        }
        List<String> columns = columns(tokens.subList(1, from));
        if (from + 1 >= tokens.size() || !tokens.get(from + 1).isName()) {
            throw wrong("FROM must be followed by a table's name");
        }
        String table = tokens.get(from + 1).name();
        List<Token> rest = tokens.subList(from + 2, tokens.size());
        if (!rest.isEmpty() && !rest.get(0).is("WHERE")) {
            throw wrong("'" + rest.get(0).text() + "' after the table's name is not understood; only WHERE may follow");
        }
        for (Token token : rest) {
            if (NOT_TAKEN_OVER.contains(token.text().toUpperCase(Locale.ROOT))) {
                throw wrong(token.text().toUpperCase(Locale.ROOT)
                        + " cannot be taken over; put it into the query on the Flink table");
            }
        }
        if (rest.isEmpty()) {
            return new ScanStatement(columns, table, null, new TimeBounds(null, null), null);
        }
        return withCondition(sql, columns, table, rest.subList(1, rest.size()), timestampColumns);
    }

    private static ScanStatement withCondition(
            String sql, List<String> columns, String table, List<Token> condition, Set<String> timestampColumns) {
        if (condition.isEmpty()) {
            throw wrong("WHERE has no condition");
        }
        String timeColumn = null;
        TimeBounds bounds = new TimeBounds(null, null);
        List<String> filter = new ArrayList<>();
        for (List<Token> part : conjuncts(condition)) {
            String column = comparedColumn(part);
            TimeBounds narrowed = column != null
                            && timestampColumns.contains(column)
                            && (timeColumn == null || timeColumn.equals(column))
                    ? narrow(bounds, part)
                    : null;
            if (narrowed != null) {
                timeColumn = column;
                bounds = narrowed;
            } else {
                filter.add(sql.substring(
                        part.get(0).start(), part.get(part.size() - 1).end()));
            }
        }
        // Each on lines of its own, so that a comment at its end cannot swallow what follows.
        String joined = filter.isEmpty() ? null : String.join("\nAND ", filter);
        if (joined != null) {
            FilterExpression.check(joined, LindormOptions.QUERY.key());
        }
        return new ScanStatement(columns, table, timeColumn, bounds, joined);
    }

    private static List<Token> tokens(String sql) {
        List<Token> tokens = new ArrayList<>();
        Matcher matcher = TOKEN.matcher(sql);
        while (matcher.find()) {
            if (matcher.group("hint") != null) {
                throw wrong("hints cannot be taken over; the scan sets those that it needs");
            }
            if (matcher.group("token") != null) {
                tokens.add(new Token(matcher.group("token"), matcher.start(), matcher.end()));
            }
        }
        if (!tokens.isEmpty() && tokens.get(tokens.size() - 1).is(";")) {
            tokens.remove(tokens.size() - 1);
        }
        return tokens;
    }

    private static int find(List<Token> tokens, String word) {
        for (int i = 0; i < tokens.size(); i++) {
            if (tokens.get(i).is(word)) {
                return i;
            }
        }
        return -1;
    }

    private static List<String> columns(List<Token> tokens) {
        if (tokens.size() == 1 && tokens.get(0).is("*")) {
            return null;
        }
        List<String> columns = new ArrayList<>();
        for (int i = 0; i < tokens.size(); i++) {
            Token token = tokens.get(i);
            if (i % 2 == 0 ? !token.isName() : !token.is(",")) {
                throw wrong("it may select columns by their names, or *; '" + token.text()
                        + "' is neither. Compute in the query on the Flink table");
            }
            if (i % 2 == 0) {
                columns.add(token.name());
            }
        }
        return columns;
    }

    /** The parts of a condition that all must hold; the condition whole where an OR rules over them. */
    private static List<List<Token>> conjuncts(List<Token> condition) {
        List<List<Token>> parts = new ArrayList<>();
        int depth = 0;
        int start = 0;
        boolean between = false;
        for (int i = 0; i < condition.size(); i++) {
            Token token = condition.get(i);
            depth += token.is("(") ? 1 : token.is(")") ? -1 : 0;
            if (depth < 0) {
                throw wrong("a parenthesis is closed that was not opened");
            }
            if (depth > 0) {
                continue;
            }
            if (token.is("OR") || token.is("XOR") || token.is("||")) {
                return List.of(condition);
            } else if (token.is("BETWEEN")) {
                between = true;
            } else if (token.is("AND") && between) {
                between = false;
            } else if (token.is("AND")) {
                parts.add(condition.subList(start, i));
                start = i + 1;
            }
        }
        parts.add(condition.subList(start, condition.size()));
        if (depth > 0 || parts.stream().anyMatch(List::isEmpty)) {
            throw wrong("its condition ends too early");
        }
        return parts;
    }

    /** The column that a part compares with constants, or null where it is anything else. */
    private static String comparedColumn(List<Token> part) {
        if (part.get(0).isName() && !part.get(0).is("NOT") && !part.get(0).is("TIMESTAMP")) {
            return part.get(0).name();
        }
        Token last = part.get(part.size() - 1);
        return last.isName() ? last.name() : null;
    }

    /** The bounds with one more comparison; null where the part is none that is understood. */
    private static TimeBounds narrow(TimeBounds bounds, List<Token> part) {
        List<Token> bare = part.stream().filter(token -> !token.is("TIMESTAMP")).toList();
        if (bare.size() == 5 && bare.get(1).is("BETWEEN") && bare.get(3).is("AND")) {
            LocalDateTime low = time(bare.get(2));
            LocalDateTime high = time(bare.get(4));
            return low == null || high == null ? null : bounds.and(">=", low).and("<=", high);
        }
        if (bare.size() != 3 || !MIRRORED.containsKey(bare.get(1).text())) {
            return null;
        }
        boolean columnFirst = bare.get(0).isName();
        LocalDateTime time = time(bare.get(columnFirst ? 2 : 0));
        String operator = bare.get(1).text();
        return time == null ? null : bounds.and(columnFirst ? operator : MIRRORED.get(operator), time);
    }

    /** A constant as Lindorm reads one for a TIMESTAMP: text in the session's zone, or milliseconds since 1970. */
    private static LocalDateTime time(Token token) {
        String text = token.text();
        try {
            if (text.startsWith("'") || text.startsWith("\"")) {
                String time = text.substring(1, text.length() - 1);
                return LocalDateTime.parse(time.length() == 10 ? time + " 00:00:00" : time, TIME);
            }
            return text.matches("-?\\d{1,18}")
                    ? LocalDateTime.ofInstant(java.time.Instant.ofEpochMilli(Long.parseLong(text)), ZoneOffset.UTC)
                    : null;
        } catch (DateTimeParseException e) {
            return null;
        }
    }

    private static UserError wrong(String why) {
        return new UserError("the option 'scan.query' cannot be used: " + why);
    }
}
