package io.lindorm.flink.source;

import io.lindorm.flink.UserError;

import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;

import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What to read and how: the table's options ({@link LindormOptions}), checked.
 *
 * @param url the server, as {@code jdbc:mysql://host:port/database}
 * @param table the table's name
 * @param username the user
 * @param password where the password is
 * @param timeColumn the column that the time range is on, or null for no range
 * @param start the first instant inside, as the column holds it: LocalDateTime in UTC, or Long
 * @param end the first instant after the range, likewise
 * @param filter a condition in Lindorm's SQL, or null
 * @param pageSize rows that one read asks for
 * @param splitPoints values of the first key column where splits begin, as text
 * @param splits how many splits to look for where no points are given; 0 for a number that suits the
 *     parallelism
 * @param rowsPerSecond the most that all readers together read in a second, or 0 for no limit
 * @param ratesPath a folder with a file that may lower that limit while the scan runs, or null
 * @param timeout after which a read is given up and tried again with a smaller page
 * @param retries how often one read is tried again
 */
record Scan(
        String url,
        String table,
        String username,
        Password password,
        String timeColumn,
        Object start,
        Object end,
        String filter,
        int pageSize,
        List<String> splitPoints,
        int splits,
        long rowsPerSecond,
        String ratesPath,
        Duration timeout,
        int retries)
        implements Serializable {

    /** Lindorm serves at most this many rows in one read (its page on quotas and limits). */
    static final int MAX_PAGE_SIZE = 2_000;

    private static final Pattern URL = Pattern.compile("jdbc:(?:mysql|lindorm)://([^/?#@]+)/([^/?#@]+)(\\?[^#]*)?");

    /** A password, or the file it is in. It shows itself to nobody: not in EXPLAIN, a log or an error. */
    record Password(String value, String file) implements Serializable {

        /** The password as of now: a file is read each time, so that a renewed Secret is taken up. */
        String reveal() throws IOException {
            return file == null ? value : Files.readString(Path.of(file), StandardCharsets.UTF_8).strip();
        }

        @Override
        public String toString() {
            return "******";
        }
    }

    /**
     * Checks the options of a table.
     *
     * @throws UserError with a sentence that says what is right
     */
    static Scan of(ReadableConfig options) {
        Matcher url = URL.matcher(options.get(LindormOptions.URL));
        if (!url.matches()) {
            throw new UserError("the option 'url' must look like jdbc:mysql://host:33060/database (without user and"
                    + " password, which have options of their own)");
        }
        String parameters = url.group(3) == null ? "" : url.group(3);
        if (parameters.toLowerCase(Locale.ROOT).contains("password")) {
            throw new UserError("the option 'url' must not hold a password; use 'password-file'");
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
        String column = options.getOptional(LindormOptions.TIMESTAMP_COLUMN).orElse(null);
        Object start = null;
        Object end = null;
        if (column != null) {
            LindormOptions.TimeUnit unit = options.getOptional(LindormOptions.TIMESTAMP_UNIT).orElse(null);
            start = bound(options, LindormOptions.TIMESTAMP_START, unit);
            end = bound(options, LindormOptions.TIMESTAMP_END, unit);
            if (start != null && end != null && KeyValues.compare(start, end) >= 0) {
                throw new UserError("'scan.timestamp.start' must be before 'scan.timestamp.end'");
            }
        } else if (options.getOptional(LindormOptions.TIMESTAMP_START).isPresent()
                || options.getOptional(LindormOptions.TIMESTAMP_END).isPresent()) {
            throw new UserError("'scan.timestamp.start' and 'scan.timestamp.end' need 'scan.timestamp.column'");
        }
        long rate = options.getOptional(LindormOptions.ROWS_PER_SECOND).orElse(0L);
        if (rate < 0) {
            throw new UserError("'scan.rows-per-second' must be positive");
        }
        return new Scan(
                "jdbc:mysql://" + url.group(1) + "/" + url.group(2) + parameters,
                options.get(LindormOptions.TABLE_NAME),
                options.get(LindormOptions.USERNAME),
                new Password(password.orElse(null), file.orElse(null)),
                column,
                start,
                end,
                options.getOptional(LindormOptions.FILTER).filter(f -> !f.isBlank()).orElse(null),
                pageSize,
                List.copyOf(options.getOptional(LindormOptions.SPLIT_POINTS).orElse(List.of())),
                options.getOptional(LindormOptions.SPLIT_NUMBER).orElse(0),
                rate,
                options.getOptional(LindormOptions.RATES_PATH).orElse(null),
                options.get(LindormOptions.TIMEOUT),
                options.get(LindormOptions.RETRIES));
    }

    /**
     * Whether a read may pass over rows that it does not return, so that it can take long for few rows: where a
     * condition is not one on the first key column.
     */
    boolean passesOverRows(List<KeyColumn> key) {
        return filter != null || ((start != null || end != null) && !key.get(0).name().equals(timeColumn));
    }

    private static Object bound(
            ReadableConfig options, ConfigOption<String> option, LindormOptions.TimeUnit unit) {
        Optional<String> text = options.getOptional(option);
        if (text.isEmpty()) {
            return null;
        }
        Instant instant;
        try {
            instant = KeyValues.instant(text.get());
        } catch (DateTimeParseException e) {
            throw new UserError("'" + option.key() + "' must be an instant such as 2023-01-01T00:00:00.000Z; it is '"
                    + text.get() + "'");
        }
        return unit == null ? LocalDateTime.ofInstant(instant, ZoneOffset.UTC) : unit.of(instant);
    }
}
