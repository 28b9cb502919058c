package io.lindorm.flink.items;

/**
 * What the subtasks of {@code items} report to the one {@code outcome}: a rejected row, or, at the end of
 * its input, a subtask's counts. Public and with public fields because Flink's serializer wants it so.
 */
public final class Outcome {

    /** The reject's reason, or null in a report of counts. */
    public String reason;

    /** The reject's line of JSON, or null. */
    public String line;

    /** {@link Counts#toArray}, or null in a reject. */
    public long[] counts;

    static Outcome reject(RejectReason reason, String line) {
        Outcome outcome = new Outcome();
        outcome.reason = reason.name();
        outcome.line = line;
        return outcome;
    }

    static Outcome counts(Counts counts) {
        Outcome outcome = new Outcome();
        outcome.counts = counts.toArray();
        return outcome;
    }
}
