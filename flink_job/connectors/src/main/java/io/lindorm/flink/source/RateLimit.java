package io.lindorm.flink.source;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/**
 * The most rows that all readers together may read in a second: what a file says, which may change while the scan runs,
 * and the table's own option where there is no file.
 *
 * <p>The file is JSON with {@code rowsPerSecond} a number or null; docs/contracts.md has it whole.
 */
final class RateLimit {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final long option;
    private final Path file;
    private double rowsPerSecond;

    /**
     * @param option the table's option, 0 for none
     * @param path the file, or null for none
     */
    RateLimit(long option, String path) {
        this.option = option;
        this.file = path == null ? null : Path.of(path);
        this.rowsPerSecond = option;
    }

    boolean mayChange() {
        return file != null;
    }

    /** The limit as last set; 0 for none. */
    double rowsPerSecond() {
        return rowsPerSecond;
    }

    void set(double newRowsPerSecond) {
        rowsPerSecond = newRowsPerSecond;
    }

    /**
     * The limit as of now; 0 for none.
     *
     * @throws IOException where the file is there and cannot be understood
     */
    double read() throws IOException {
        String text;
        try {
            text = Files.readString(file);
        } catch (NoSuchFileException e) {
            return option;
        }
        JsonNode rate = JSON.readTree(text).path("rowsPerSecond");
        if (rate.isMissingNode() || rate.isNull()) {
            return 0;
        }
        if (!rate.isNumber() || rate.asDouble() <= 0) {
            throw new IOException("'rowsPerSecond' in " + file + " must be a positive number or null; it is " + rate);
        }
        return rate.asDouble();
    }
}
