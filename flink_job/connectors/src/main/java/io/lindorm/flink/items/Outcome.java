package io.lindorm.flink.items;

import io.lindorm.flink.files.FinishedFile;
import java.io.IOException;

/**
 * What reaches the one {@code outcome}: a rejected row, a finished file, or, at the end of its input, the counts of a
 * subtask of {@code items}. Public and with public fields because Flink's serializer wants it so.
 */
public final class Outcome {

    /** The reject's reason, or null. */
    public String reason;

    /** The reject's line of JSON, or null. */
    public String line;

    /** {@link Counts#toArray}, or null. */
    public long[] counts;

    /** {@link FinishedFile#toBytes}, or null. */
    public byte[] file;

    static Outcome reject(RejectReason reason, String line) {
        Outcome outcome = new Outcome();
        outcome.reason = reason.name();
        outcome.line = line;
        return outcome;
    }

    static Outcome file(FinishedFile file) throws IOException {
        Outcome outcome = new Outcome();
        outcome.file = file.toBytes();
        return outcome;
    }

    static Outcome counts(Counts counts) {
        Outcome outcome = new Outcome();
        outcome.counts = counts.toArray();
        return outcome;
    }
}
