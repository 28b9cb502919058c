package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import io.lindorm.flink.rate.RatesFile;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.types.logical.LogicalTypeFamily;
import org.apache.flink.table.types.logical.RowType;

/**
 * What to read and how: the table's options ({@link LindormOptions}), checked.
 *
 * @param url the server, as {@code jdbc:mysql://host:port/database}
 * @param table the table's name
 * @param username the user
 * @param password where the password is
 * @param timeColumn the column that the time range is on, or null for no range
 * @param timeUnit what that column counts, or null where it is a TIMESTAMP
 * @param start the first instant inside, as the column holds it: LocalDateTime in UTC, or Long
 * @param end the first instant after the range, likewise
 * @param filter a condition in Lindorm's SQL, or null
 * @param pageSize rows that one read asks for
 * @param splitPoints values of the first key column where splits begin, as text
 * @param splits how many splits to look for where no points are given; 0 for a number that suits the
 *     parallelism
 * @param rowsPerSecond the most that all readers together read in a second, or 0 for no limit
 * @param ratesPath a file that may lower that limit while the scan runs, or null
 * @param timeout after which a read is given up and tried again with a smaller page
 * @param retries how often one read is tried again
 * @param tls how the connection is encrypted
 */
record Scan(
        String url,
        String table,
        String username,
        Password password,
        String timeColumn,
        LindormOptions.TimeUnit timeUnit,
        Object start,
        Object end,
        String filter,
        int pageSize,
        List<String> splitPoints,
        int splits,
        long rowsPerSecond,
        String ratesPath,
        Duration timeout,
        int retries,
        Tls tls)
        implements Serializable {

    /** Lindorm serves at most this many rows in one read (its page on quotas and limits). */
    static final int MAX_PAGE_SIZE = 2_000;

    private static final Pattern URL = Pattern.compile("jdbc:(?:mysql|lindorm)://([^/?#@]+)/([^/?#@]+)(\\?[^#]*)?");

    /** A password, or the file it is in. It shows itself to nobody: not in EXPLAIN, a log or an error. */
    record Password(String value, String file) implements Serializable {

        /** The password as of now: a file is read each time, so that a renewed Secret is taken up. */
        String reveal() throws IOException {
            return file == null ? value : withoutFinalNewline(Files.readString(Path.of(file), StandardCharsets.UTF_8));
        }

        /**
         * Editors and {@code echo} end a file with a newline; all other white space may be the password's own. The
         * controller reads the Secret by the same rule (tests/data/secrets.json).
         */
        private static String withoutFinalNewline(String text) {
            return text.endsWith("\r\n")
                    ? text.substring(0, text.length() - 2)
                    : text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
        }

        @Override
        public String toString() {
            return "******";
        }
    }

    /**
     * How the connection is encrypted.
     *
     * @param mode as in Connector/J's {@code sslMode}; null for what the URL says, or the driver's default
     * @param caFile certificates (PEM) of the authorities that may vouch for the server; null where nobody need
     */
    record Tls(LindormOptions.TlsMode mode, String caFile) implements Serializable {}

    /**
     * Checks the options of a table.
     *
     * @param columns the table's columns as they are declared in Flink
     * @throws UserError with a sentence that says what is right
     */
    static Scan of(ReadableConfig options, RowType columns) {
        Matcher url = URL.matcher(options.get(LindormOptions.URL));
        if (!url.matches()) {
            throw new UserError("the option 'url' must look like jdbc:mysql://host:33060/database (without user and"
                    + " password, which have options of their own)");
        }
        String parameters = url.group(3) == null ? "" : url.group(3);
        if (parameters.toLowerCase(Locale.ROOT).contains("password")) {
            throw new UserError("the option 'url' must not hold a password; use 'password-file'");
        }
        if (parameters.contains("sslMode")
                && options.getOptional(LindormOptions.TLS_MODE).isPresent()) {
            throw new UserError("give either the option 'tls.mode' or sslMode in 'url'");
        }
        Optional<String> password = options.getOptional(LindormOptions.PASSWORD);
        Optional<String> file = options.getOptional(LindormOptions.PASSWORD_FILE);
        if (password.isPresent() == file.isPresent()) {
            throw new UserError("give one of the options 'password' and 'password-file'");
        }
        int pageSize = options.get(LindormOptions.PAGE_SIZE);
        if (pageSize < 1 || pageSize > MAX_PAGE_SIZE) {
            throw new UserError("'scan.page-size' must be between 1 and " + MAX_PAGE_SIZE
                    + ", the most that Lindorm serves in one read; it is " + pageSize);
        }
        What what =
                options.getOptional(LindormOptions.QUERY).isPresent() ? ofQuery(options, columns) : ofOptions(options);
        long rate = options.getOptional(LindormOptions.ROWS_PER_SECOND).orElse(0L);
        if (rate < 0) {
            throw new UserError("'scan.rows-per-second' must be positive");
        }
        return new Scan(
                "jdbc:mysql://" + url.group(1) + "/" + url.group(2) + parameters,
                what.table(),
                options.get(LindormOptions.USERNAME),
                new Password(password.orElse(null), file.orElse(null)),
                what.timeColumn(),
                what.timeUnit(),
                what.bounds().start(),
                what.bounds().end(),
                what.filter(),
                pageSize,
                List.copyOf(options.getOptional(LindormOptions.SPLIT_POINTS).orElse(List.of())),
                options.getOptional(LindormOptions.SPLIT_NUMBER).orElse(0),
                rate,
                options.getOptional(LindormOptions.RATES_PATH).orElse(null),
                options.get(LindormOptions.TIMEOUT),
                options.get(LindormOptions.RETRIES),
                tls(options));
    }

    /** What is read, however it was said. */
    private record What(
            String table, String timeColumn, LindormOptions.TimeUnit timeUnit, TimeBounds bounds, String filter) {}

    private static What ofOptions(ReadableConfig options) {
        String table = options.getOptional(LindormOptions.TABLE_NAME)
                .orElseThrow(() -> new UserError("give the option 'table-name', or 'scan.query'"));
        String column = options.getOptional(LindormOptions.TIMESTAMP_COLUMN).orElse(null);
        LindormOptions.TimeUnit unit =
                options.getOptional(LindormOptions.TIMESTAMP_UNIT).orElse(null);
        Instant start = instant(options, LindormOptions.TIMESTAMP_START);
        Instant end = instant(options, LindormOptions.TIMESTAMP_END);
        if (column == null && (start != null || end != null)) {
            throw new UserError("'scan.timestamp.start' and 'scan.timestamp.end' need 'scan.timestamp.column'");
        }
        if (start != null && end != null && start.isAfter(end)) {
            throw new UserError("'scan.timestamp.start' must not be after 'scan.timestamp.end'");
        }
        TimeBounds bounds = TimeBounds.of(start, end, unit);
        String filter = options.getOptional(LindormOptions.FILTER)
                .filter(f -> !f.isBlank())
                .map(f -> FilterExpression.check(f, LindormOptions.FILTER.key()))
                .orElse(null);
        return new What(table, column, unit, bounds, filter);
    }

    private static What ofQuery(ReadableConfig options, RowType columns) {
        for (ConfigOption<?> other : List.of(
                LindormOptions.TIMESTAMP_COLUMN,
                LindormOptions.TIMESTAMP_START,
                LindormOptions.TIMESTAMP_END,
                LindormOptions.TIMESTAMP_UNIT,
                LindormOptions.FILTER)) {
            if (options.getOptional(other).isPresent()) {
                throw new UserError("'scan.query' says what is read; leave out '" + other.key() + "'");
            }
        }
        Set<String> timestamps = columns.getFields().stream()
                .filter(field -> field.getType().isAnyOf(LogicalTypeFamily.TIMESTAMP))
                .map(RowType.RowField::getName)
                .collect(Collectors.toSet());
        ScanStatement query = ScanStatement.parse(options.get(LindormOptions.QUERY), timestamps);
        options.getOptional(LindormOptions.TABLE_NAME)
                .filter(table -> !table.equals(query.table()))
                .ifPresent(table -> {
                    throw new UserError("'table-name' is " + table + ", but 'scan.query' reads " + query.table());
                });
        for (String column : columns.getFieldNames()) {
            if (query.columns() != null && !query.columns().contains(column)) {
                throw new UserError("the column `" + column + "` is declared, but 'scan.query' does not select it");
            }
        }
        return new What(query.table(), query.timeColumn(), null, query.bounds(), query.filter());
    }

    private static Tls tls(ReadableConfig options) {
        LindormOptions.TlsMode mode =
                options.getOptional(LindormOptions.TLS_MODE).orElse(null);
        boolean verifies = mode == LindormOptions.TlsMode.VERIFY_CA || mode == LindormOptions.TlsMode.VERIFY_IDENTITY;
        Optional<String> caFile = options.getOptional(LindormOptions.TLS_CA_FILE);
        if (verifies != caFile.isPresent()) {
            throw new UserError("'tls.ca-file' and 'tls.mode' VERIFY_CA or VERIFY_IDENTITY go together");
        }
        return new Tls(mode, caFile.orElse(null));
    }

    /** The same scan with another time range. */
    Scan withRange(String column, TimeBounds bounds) {
        return new Scan(
                url,
                table,
                username,
                password,
                column,
                timeUnit,
                bounds.start(),
                bounds.end(),
                filter,
                pageSize,
                splitPoints,
                splits,
                rowsPerSecond,
                ratesPath,
                timeout,
                retries,
                tls);
    }

    /**
     * Whether a read may pass over rows that it does not return, so that it can take long for few rows: where a
     * condition is not one on the first key column.
     */
    boolean passesOverRows(PrimaryKey key) {
        return filter != null
                || ((start != null || end != null) && !key.get(0).name().equals(timeColumn));
    }

    /** The rows a second that all readers together may read. */
    RatesFile rate() {
        return new RatesFile(
                ratesPath == null ? null : Path.of(ratesPath),
                "rowsPerSecond",
                rowsPerSecond > 0 ? rowsPerSecond : Double.POSITIVE_INFINITY);
    }

    /** Whether no row can be in the time range. */
    boolean isEmpty() {
        return new TimeBounds(start, end).isEmpty();
    }

    private static Instant instant(ReadableConfig options, ConfigOption<String> option) {
        Optional<String> text = options.getOptional(option);
        if (text.isEmpty()) {
            return null;
        }
        try {
            return TimeBounds.instant(text.get());
        } catch (DateTimeParseException e) {
            throw new UserError("'" + option.key() + "' must be an instant such as 2023-01-01T00:00:00.000Z; it is '"
                    + text.get() + "'");
        }
    }
}
