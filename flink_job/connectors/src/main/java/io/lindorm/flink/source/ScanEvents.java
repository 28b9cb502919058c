package io.lindorm.flink.source;

import java.util.List;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * What readers and the enumerator tell each other.
 *
 * <p>Flink keeps the two ways apart: what the enumerator sends before its part of a checkpoint arrives
 * before the reader's part, and what it sends after arrives after. What a reader sends has no such place
 * in a checkpoint, so nothing may rest on it alone: a reader keeps what it has offered in its own state
 * until the enumerator says {@link Accepted}.
 */
final class ScanEvents {

    private ScanEvents() {}

    /**
     * The first event of a reader: what its checkpoint gave it back. It reads none of it before {@link Resume}.
     *
     * @param open splits to read on
     * @param offered splits that it has cut off and does not know to be accepted
     */
    record Started(List<KeyRangeSplit> open, List<KeyRangeSplit> offered) implements SourceEvent {}

    /** A reader has read these splits to their ends. */
    record Finished(List<String> splitIds) implements SourceEvent {}

    /**
     * A reader has cut a split, which now ends where the first of the parts begins.
     *
     * @param cutId the split that was cut
     * @param parts what was cut off, for any reader, in the table's order
     */
    record Offered(String cutId, List<KeyRangeSplit> parts) implements SourceEvent {}

    /** There is at most one page left in a split that a reader was to cut. */
    record NotCut(String splitId) implements SourceEvent {}

    /**
     * The enumerator's answer to {@link Started}.
     *
     * @param open the same splits with the ends that they have by now
     * @param rowsPerSecond as in {@link Rate}
     */
    record Resume(List<KeyRangeSplit> open, double rowsPerSecond) implements SourceEvent {}

    /** How many rows a second a reader could use: {@link Pacer#takeNeed}. */
    record Need(double rowsPerSecond) implements SourceEvent {}

    /** The enumerator has accepted an offered split; the reader may forget it. */
    record Accepted(String splitId) implements SourceEvent {}

    /** A reader is to cut a split and offer what it cuts off. */
    record Cut(String splitId) implements SourceEvent {}

    /** The most rows that a reader may read in a second; infinite for no limit. */
    record Rate(double rowsPerSecond) implements SourceEvent {}
}
