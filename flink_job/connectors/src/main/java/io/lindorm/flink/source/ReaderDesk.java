package io.lindorm.flink.source;

import java.util.concurrent.atomic.AtomicReference;

/**
 * What Flink's thread and the reading thread of one reader share. It outlives the page readers: Flink drops one that
 * has nothing to do and makes another later.
 */
final class ReaderDesk {

    private final Pacer pacer = new Pacer();
    private final AtomicReference<String> toCut = new AtomicReference<>();

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
