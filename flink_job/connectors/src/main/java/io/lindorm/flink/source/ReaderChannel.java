package io.lindorm.flink.source;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;

/** What Flink's thread and the reading thread of one reader share. */
final class ReaderChannel {

    private final Pacer pacer;
    private final AtomicReference<String> toCut = new AtomicReference<>();

    /**
     * @param clock nanoseconds from any beginning
     */
    ReaderChannel(LongSupplier clock) {
        this.pacer = new Pacer(clock);
    }

    Pacer pacer() {
        return pacer;
    }

    /** Asks for a split to be cut; there is one such request at a time. */
    void askForCut(String splitId) {
        toCut.set(splitId);
    }

    /** The split that is to be cut, or null. */
    String toCut() {
        return toCut.get();
    }

    /** Ends the request to cut a split: it is done, or its split is. */
    void forgetCut(String splitId) {
        toCut.updateAndGet(wanted -> splitId.equals(wanted) ? null : wanted);
    }
}
