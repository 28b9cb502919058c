package io.lindorm.flink.items;

import io.lindorm.flink.UserError;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A key made of columns and literals, such as {@code {ts}#{seq}}.
 *
 * <p>Different columns must make different keys. So a literal stands between every two columns, and a row
 * whose column holds the beginning of the literal after it, earlier than where the literal stands, is
 * rejected: reading the key back would cut it in the wrong place.
 *
 * @param literals the texts before, between and after the columns; one more than columns
 * @param columns the columns' names
 */
record KeyTemplate(List<String> literals, List<String> columns) {

    private static final Pattern COLUMN = Pattern.compile("\\{([^{}]+)}");

    /**
     * Reads a template.
     *
     * @throws UserError for a template without columns, or with two side by side
     */
    static KeyTemplate parse(String template) {
        List<String> literals = new ArrayList<>();
        List<String> columns = new ArrayList<>();
        Matcher matcher = COLUMN.matcher(template);
        int end = 0;
        while (matcher.find()) {
            literals.add(template.substring(end, matcher.start()));
            columns.add(matcher.group(1));
            end = matcher.end();
        }
        literals.add(template.substring(end));
        if (columns.isEmpty()) {
            throw new UserError("the key template '" + template + "' names no column, as in '{ts}#{seq}'");
        }
        if (literals.subList(1, literals.size() - 1).stream().anyMatch(String::isEmpty)) {
            throw new UserError("the key template '" + template + "' needs a literal between its columns, as in"
                    + " '{ts}#{seq}': without one, different rows could make the same key");
        }
        return new KeyTemplate(List.copyOf(literals), List.copyOf(columns));
    }

    /** Whether this is one column and nothing else. */
    boolean isColumnAlone() {
        return columns.size() == 1
                && literals.get(0).isEmpty()
                && literals.get(1).isEmpty();
    }

    /**
     * Puts values in.
     *
     * @param values each column's text
     * @throws Reject AmbiguousKey where a value holds the literal that follows it
     */
    String fill(List<String> values) throws Reject {
        StringBuilder text = new StringBuilder(literals.get(0));
        for (int i = 0; i < columns.size(); i++) {
            String value = values.get(i);
            String literal = literals.get(i + 1);
            // After the last column the text ends, and with it what may follow: nothing is ambiguous there.
            if (i < columns.size() - 1 && (value + literal).indexOf(literal) != value.length()) {
                throw new Reject(
                        RejectReason.AmbiguousKey,
                        "column " + columns.get(i) + " is '" + Values.abbreviated(value) + "', which holds the '"
                                + literal + "' that follows it in the key");
            }
            text.append(value).append(literal);
        }
        return text.toString();
    }
}
