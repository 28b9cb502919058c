package io.lindorm.flink.source;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.table.data.GenericRowData;

/**
 * Pages of several splits, handed on row by row in turn: one row of each, then the next of each. Neighbours in Lindorm
 * are often rows of one device, and so of one partition in the target; in turn they are spread.
 *
 * <p>Elements are {@link GenericRowData}, and before all rows {@link Change}s.
 */
final class PageBatch implements RecordsWithSplitIds<Object> {

    /** What happened to a split besides being read. */
    sealed interface Change {

        /** The split now ends where the first of the parts cut off begins. */
        record CutOff(List<KeyRangeSplit> parts) implements Change {}

        /** The split was to be cut, but at most a page of it is left. */
        record NotCut() implements Change {}

        /** How many rows a second the reader of the split could use: {@link Pacer#takeNeed}. */
        record Need(double rowsPerSecond) implements Change {}

        /** No row that is wanted lies before this tuple, beyond those handed on. */
        record MovedTo(Key lower) implements Change {}
    }

    private record Part(String splitId, Iterator<?> elements, boolean isPage) {}

    private final Deque<Part> changes = new ArrayDeque<>();
    private final List<Part> pages = new ArrayList<>();
    private final Set<String> finished = new HashSet<>();
    private int turn;
    private Part current;
    private boolean handedOn;

    void add(String splitId, Change change) {
        changes.add(new Part(splitId, List.of(change).iterator(), false));
    }

    /** Adds a page, which has at least one row. */
    void add(String splitId, List<GenericRowData> rows) {
        pages.add(new Part(splitId, rows.iterator(), true));
    }

    /** Says that a split has no more, after its rows in this batch. */
    void finish(String splitId) {
        finished.add(splitId);
    }

    boolean isEmpty() {
        return changes.isEmpty() && pages.isEmpty() && finished.isEmpty();
    }

    @Override
    public String nextSplit() {
        handedOn = false;
        if (!changes.isEmpty()) {
            current = changes.poll();
        } else if (pages.isEmpty()) {
            return null;
        } else {
            turn = turn < pages.size() ? turn : 0;
            current = pages.get(turn);
        }
        return current.splitId();
    }

    @Override
    public Object nextRecordFromSplit() {
        if ((handedOn && !(current.isPage() && pages.size() == 1))
                || !current.elements().hasNext()) {
            return null;
        }
        handedOn = true;
        Object element = current.elements().next();
        if (current.isPage()) {
            if (!current.elements().hasNext()) {
                pages.remove(current);
            } else if (pages.size() > 1) {
                turn++;
            }
        }
        return element;
    }

    @Override
    public Set<String> finishedSplits() {
        return finished;
    }
}
