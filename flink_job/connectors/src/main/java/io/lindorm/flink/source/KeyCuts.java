package io.lindorm.flink.source;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds keys at which to cut a range, with few point queries and without statistics, which Lindorm has none of.
 *
 * <p>The first and the last key of a range tell the first column in which its keys differ. The space between
 * the two in that column is cut evenly, and each cut is moved to the next key that exists. Where that gives
 * too few parts, each part is looked at in the same way: its keys may share more.
 */
final class KeyCuts {

    /** Point queries that one plan may cost, about. */
    static final int PLAN_LOOKUPS = 400;

    /** Lindorm passes over at most 10,000 rows (its page on quotas), five of the largest pages. */
    private static final int SMALL_PAGES = 4;

    /** Into how many parts a split is cut that is being read, and point queries that this may cost, about. */
    private static final int PIECES = 8;

    private static final int PIECES_LOOKUPS = 3 * PIECES;

    /** How often a cut that leaves nearly nothing behind it is moved back. */
    private static final int CORRECTIONS = 8;

    private final KeyLookups lookups;
    private final int pageSize;
    private int budget;

    /**
     * @param pageSize rows that are not worth cutting
     */
    KeyCuts(KeyLookups lookups, int pageSize) {
        this.lookups = lookups;
        this.pageSize = pageSize;
    }

    /**
     * Tuples that cut a range into about so many parts, where the range has as many pages.
     *
     * @param range its {@code lower} must be there
     * @return tuples in the table's order, all after the range's first key, each the beginning of a key in the range
     */
    List<Key> plan(KeyRangeSplit range, int parts) throws IOException {
        return plan(range, parts, PLAN_LOOKUPS);
    }

    private List<Key> plan(KeyRangeSplit range, int parts, int lookupsAllowed) throws IOException {
        budget = lookupsAllowed;
        List<Key> cuts = new ArrayList<>();
        if (parts > 1) {
            plan(range, parts, cuts);
        }
        return cuts;
    }

    private void plan(KeyRangeSplit range, int parts, List<Key> cuts) throws IOException {
        budget -= 3;
        Key first = lookups.first(range);
        if (first == null || lookups.nth(range, pageSize) == null) {
            return;
        }
        Key last = last(range);
        int at = range.key().firstDifference(first, last);
        List<Key> found = new ArrayList<>();
        Key reached = first.prefix(at + 1);
        for (int i = 1; i < parts && budget > 0; i++) {
            Key cut = range.key().between(first, last, at, i, parts);
            // What the last cut was moved to may lie beyond this one already.
            if (range.key().compare(cut, reached) > 0) {
                budget--;
                Key key = lookups.first(range.from(cut));
                if (key == null) {
                    break;
                }
                reached = range.key().shortest(key, first);
                found.add(reached);
            }
        }
        if (2 * (found.size() + 1) > parts) {
            cuts.addAll(found);
            return;
        }
        // Rows lie in few places of the column: look into each.
        int share = parts / (found.size() + 1);
        KeyRangeSplit rest = range.from(first);
        for (int i = 0; i <= found.size(); i++) {
            Key end = i < found.size() ? found.get(i) : range.upper();
            if (budget > 0 && share > 1) {
                plan(end == null ? rest : rest.until(end), share, cuts);
            }
            if (i < found.size()) {
                cuts.add(end);
                rest = rest.from(end);
            }
        }
    }

    /**
     * Tuples that cut what is left of a range into some parts, the first of them with a page or more.
     *
     * <p>Nobody knows how many rows lie where: several parts for few more queries than two would take bring more to cut
     * again, and find a place where most of the rows are in fewer steps.
     *
     * @return the tuples in the table's order; none where at most a page is left
     */
    List<Key> pieces(KeyRangeSplit range) throws IOException {
        Key later = lookups.nth(range, SMALL_PAGES * pageSize);
        if (later == null) {
            Key middle = half(range);
            return middle == null ? List.of() : List.of(middle);
        }
        List<Key> cuts = plan(range.from(later), PIECES, PIECES_LOOKUPS);
        return cuts.isEmpty() ? List.of(later) : cuts;
    }

    /**
     * A tuple that cuts what is left of a range about in the middle, with a page or more before it.
     *
     * @return the tuple; null where at most a page is left
     */
    Key half(KeyRangeSplit range) throws IOException {
        Key first = lookups.nth(range, SMALL_PAGES * pageSize);
        if (first == null) {
            // Little is left, so rows can be counted off.
            Key middle = lookups.nth(range, SMALL_PAGES / 2 * pageSize);
            return middle != null ? middle : lookups.nth(range, pageSize);
        }
        Key last = last(range.from(first));
        for (int i = 0; i < CORRECTIONS && !range.key().isSame(first, last); i++) {
            int at = range.key().firstDifference(first, last);
            Key key = lookups.first(range.from(range.key().between(first, last, at, 1, 2)));
            // A row may have gone meanwhile.
            if (key == null || range.key().compare(key, first) <= 0) {
                break;
            }
            Key cut = range.key().shortest(key, first);
            if (lookups.nth(range.from(cut), pageSize) != null) {
                return cut;
            }
            if (range.key().isSame(key, last)) {
                // Nothing lies between the middle and the end: go on as if the end were the middle.
                last = range.key().between(first, last, at, 1, 2);
            } else {
                last = key;
            }
        }
        return first;
    }

    /**
     * A tuple about {@code factor} times as far from {@code from} as {@code to} is, for ranges that are read in steps.
     *
     * @param range what is left, beginning at {@code to}
     * @return the beginning of a key in the range; null where the step reaches its end
     */
    Key onward(KeyRangeSplit range, Key from, Key to, int factor) throws IOException {
        int at = range.key().firstDifference(from, to);
        if (at >= Math.min(from.size(), to.size())) {
            return null;
        }
        Key beyond = range.key().between(from, to, at, factor, 1);
        if (range.key().compare(beyond, to) <= 0) {
            return null;
        }
        Key key = lookups.first(range.from(beyond));
        return key == null ? null : range.key().shortest(key, to);
    }

    /** The last key of a range that is not empty; where the server does not read backwards, one not far from it. */
    private Key last(KeyRangeSplit range) throws IOException {
        try {
            Key last = lookups.last(range);
            return last == null ? lookups.first(range) : last;
        } catch (UnsupportedOperationException e) {
            return search(range);
        }
    }

    private Key search(KeyRangeSplit range) throws IOException {
        Key first = lookups.first(range);
        Key known = lookups.nth(range, pageSize);
        if (known == null) {
            return first;
        }
        // Ever greater steps until nothing lies beyond, then halves between the last hit and the miss.
        Key origin = first;
        Key miss = null;
        int column = range.key().firstDifference(origin, known);
        for (int i = 0; miss == null && i < Long.SIZE; i++) {
            budget--;
            Key probe = range.key().between(origin, known, column, 2, 1);
            Key key = range.key().compare(probe, known) > 0 ? lookups.first(range.from(probe)) : null;
            if (key == null) {
                miss = probe;
            } else {
                known = key;
                column = range.key().firstDifference(origin, known);
            }
        }
        for (int i = 0; miss != null && i < CORRECTIONS; i++) {
            int at = Math.min(range.key().firstDifference(known, miss), miss.size() - 1);
            Key probe = range.key().between(known, miss, at, 1, 2);
            if (range.key().compare(probe, known) <= 0) {
                break;
            }
            budget--;
            Key key = lookups.first(range.from(probe));
            if (key == null) {
                miss = probe;
            } else {
                known = key;
            }
        }
        return known;
    }
}
