package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A condition of the user's, which stands between parentheses in the scan's queries: what could end these, or swallow
 * what follows them, would read other rows than were asked for. The controller refuses the same
 * (controller/lindorm_import/api/filters.py); tests/data/filters.json holds cases for both.
 */
final class FilterExpression {

    /**
     * Texts and names are whole tokens, so that nothing within them counts. A backslash before the quote that a text
     * began with is in none: whether it ends the text, MySQL's modes differ and Lindorm's documents do not say.
     */
    private static final Pattern TOKEN = Pattern.compile(
            "(?<blank>\\s+)|(?<comment>--|#|/\\*)"
                    + "|'(?:[^'\\\\]++|\\\\[^']|'')*+'|\"(?:[^\"\\\\]++|\\\\[^\"]|\"\")*+\"|`(?:[^`]++|``)*+`"
                    + "|(?<open>['\"`])|.",
            Pattern.DOTALL);

    private FilterExpression() {}

    /**
     * The filter as it is.
     *
     * @param option where it comes from, for the message
     * @throws UserError where it is not one expression
     */
    static String check(String filter, String option) {
        int depth = 0;
        boolean empty = true;
        Matcher token = TOKEN.matcher(filter);
        while (token.find()) {
            if (token.group("comment") != null) {
                throw wrong(option, "comments and hints cannot be part of it");
            }
            if (token.group("open") != null) {
                throw wrong(option, "a text or a name in it has no end (a quote within a text is written twice)");
            }
            switch (token.group()) {
                case ";" -> throw wrong(option, "a semicolon ends a statement");
                case "?" -> throw wrong(option, "? stands for a value that nobody gives");
                case "\0" -> throw wrong(option, "it holds a NUL");
                case "(" -> depth++;
                case ")" -> depth--;
                default -> empty &= token.group("blank") != null;
            }
            if (depth < 0) {
                throw wrong(option, "a parenthesis is closed that was not opened");
            }
        }
        if (depth > 0) {
            throw wrong(option, "a parenthesis is not closed");
        }
        if (empty) {
            throw wrong(option, "it is empty");
        }
        return filter;
    }

    private static UserError wrong(String option, String why) {
        return new UserError(
                "'" + option + "' must be one condition of SQL, such as metric = 'temp' AND val > 0: " + why);
    }
}
