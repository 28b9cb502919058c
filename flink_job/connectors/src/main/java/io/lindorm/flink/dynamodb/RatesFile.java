package io.lindorm.flink.dynamodb;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file with the rates that may change while the job runs (docs/contracts.md, section 4): {@code
 * {"version": 1, "writeUnitsPerSecond": 7000, …}}. Kubernetes refreshes a mounted ConfigMap within about a minute.
 */
final class RatesFile {

    private static final Logger LOG = LoggerFactory.getLogger(RatesFile.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path path;
    private double rate;
    private String complaint;

    /**
     * @param path the file, or null where there is none
     * @throws UserError where it is there and cannot be understood: to write without a limit would be the wrong guess
     */
    RatesFile(Path path) {
        this.path = path;
        this.rate = Double.POSITIVE_INFINITY;
        try {
            rate = read();
        } catch (IOException e) {
            throw new UserError("the rates file " + path + " cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * Write units per second for all writers together; infinite where there is no limit. A file that cannot be
     * understood any more changes nothing.
     */
    double writeUnitsPerSecond() {
        try {
            rate = read();
            complaint = null;
        } catch (IOException e) {
            if (!e.getMessage().equals(complaint)) {
                complaint = e.getMessage();
                LOG.warn("The rates file {} cannot be read, so the rate stays as it is: {}", path, complaint);
            }
        }
        return rate;
    }

    private double read() throws IOException {
        if (path == null) {
            return Double.POSITIVE_INFINITY;
        }
        JsonNode rates;
        try {
            rates = JSON.readTree(Files.readAllBytes(path));
        } catch (NoSuchFileException e) {
            return Double.POSITIVE_INFINITY;
        }
        JsonNode units = rates.path("writeUnitsPerSecond");
        if (rates.path("version").asInt() != 1 || !(units.isNull() || units.isNumber() && units.asDouble() > 0)) {
            throw new IOException("it is not of version 1 with a positive number, or null, as writeUnitsPerSecond");
        }
        return units.isNull() ? Double.POSITIVE_INFINITY : units.asDouble();
    }
}
