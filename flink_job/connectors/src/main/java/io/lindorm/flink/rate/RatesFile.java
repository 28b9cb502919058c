package io.lindorm.flink.rate;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One of the rates that may change while the job runs, from their file (docs/contracts.md has it whole): {@code
 * {"version": 1, "writeUnitsPerSecond": 7000, "rowsPerSecond": null}}. Kubernetes refreshes a mounted ConfigMap within
 * about a minute.
 *
 * <p>A file that cannot be understood is refused to begin with, for to go on without a limit would be the wrong guess.
 * Later it changes nothing, and neither does one that has gone; each new reason is logged once.
 *
 * <p>Not for several threads at once.
 */
public final class RatesFile {

    private static final Logger LOG = LoggerFactory.getLogger(RatesFile.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path path;
    private final String name;
    private final double withoutFile;

    /** The last answer; NaN before the first. */
    private double rate = Double.NaN;

    private boolean hasBeenThere;
    private String complaint;

    /**
     * @param path the file, or null for none
     * @param name of the rate in the file
     * @param withoutFile the rate where there is no file
     */
    public RatesFile(Path path, String name, double withoutFile) {
        this.path = path;
        this.name = name;
        this.withoutFile = withoutFile;
    }

    /** Whether the rate may ever be another one. */
    public boolean mayChange() {
        return path != null;
    }

    /**
     * The rate as of now, in units per second of all who keep it together; infinite for no limit.
     *
     * @throws UserError where this is asked for the first time, and the file is there and cannot be understood
     */
    public double perSecond() {
        double before = rate;
        try {
            rate = path == null || (!hasBeenThere && Files.notExists(path)) ? withoutFile : read();
            if (complaint != null || (rate != before && !Double.isNaN(before))) {
                LOG.info("{} is {}, before {}", name, rate, before);
            }
            complaint = null;
        } catch (IOException e) {
            String why = reason(e);
            if (Double.isNaN(rate)) {
                throw new UserError("the rates file " + path + " cannot be used: " + why, e);
            }
            if (!why.equals(complaint)) {
                LOG.warn("The rates file {} cannot be used, so {} stays {}: {}", path, name, rate, why);
            }
            complaint = why;
        }
        return rate;
    }

    private static String reason(IOException e) {
        if (e instanceof NoSuchFileException) {
            return "it has gone";
        }
        // Their message is only the file's name.
        return e instanceof FileSystemException ? e.toString() : e.getMessage();
    }

    private double read() throws IOException {
        JsonNode rates = JSON.readTree(Files.readAllBytes(path));
        hasBeenThere = true;
        JsonNode version = rates.path("version");
        if (!version.isInt() || version.intValue() != 1) {
            throw new IOException("its version is not 1");
        }
        JsonNode value = rates.path(name);
        if (value.isNull()) {
            return Double.POSITIVE_INFINITY;
        }
        double perSecond = value.isNumber() ? value.doubleValue() : Double.NaN;
        if (!(perSecond > 0 && perSecond < Double.POSITIVE_INFINITY)) {
            throw new IOException(name + " must be a positive number or null; it is "
                    + (value.isMissingNode() ? "not there" : value));
        }
        return perSecond;
    }
}
