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
    List<List<Object>> plan(KeyRangeSplit range, int parts) throws IOException {
        return plan(range, parts, PLAN_LOOKUPS);
    }

    private List<List<Object>> plan(KeyRangeSplit range, int parts, int lookupsAllowed) throws IOException {
        budget = lookupsAllowed;
        List<List<Object>> cuts = new ArrayList<>();
        if (parts > 1) {
            plan(range, parts, cuts);
        }
        return cuts;
    }

    private void plan(KeyRangeSplit range, int parts, List<List<Object>> cuts) throws IOException {
        budget -= 3;
        List<Object> first = lookups.first(range);
        if (first == null || lookups.nth(range, pageSize) == null) {
            return;
        }
        List<Object> last = last(range);
        int at = firstDifference(range.key(), first, last);
        List<List<Object>> found = new ArrayList<>();
        List<Object> reached = first.subList(0, at + 1);
        for (int i = 1; i < parts && budget > 0; i++) {
            List<Object> cut = between(range.key(), first, last, at, i, parts);
            // What the last cut was moved to may lie beyond this one already.
            if (KeyRangeSplit.compare(range.key(), cut, reached) > 0) {
                budget--;
                List<Object> key = lookups.first(range.from(cut));
                if (key == null) {
                    break;
                }
                reached = List.copyOf(key.subList(0, firstDifference(range.key(), first, key) + 1));
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
            List<Object> end = i < found.size() ? found.get(i) : range.upper();
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
    List<List<Object>> pieces(KeyRangeSplit range) throws IOException {
        List<Object> later = lookups.nth(range, SMALL_PAGES * pageSize);
        if (later == null) {
            List<Object> middle = half(range);
            return middle == null ? List.of() : List.of(middle);
        }
        List<List<Object>> cuts = plan(range.from(later), PIECES, PIECES_LOOKUPS);
        return cuts.isEmpty() ? List.of(later) : cuts;
    }

    /**
     * A tuple that cuts what is left of a range about in the middle, with a page or more before it.
     *
     * @return the tuple; null where at most a page is left
     */
    List<Object> half(KeyRangeSplit range) throws IOException {
        List<Object> first = lookups.nth(range, SMALL_PAGES * pageSize);
        if (first == null) {
            // Little is left, so rows can be counted off.
            List<Object> middle = lookups.nth(range, SMALL_PAGES / 2 * pageSize);
            return middle != null ? middle : lookups.nth(range, pageSize);
        }
        List<Object> last = last(range.from(first));
        for (int i = 0; i < CORRECTIONS && !sameKey(range.key(), first, last); i++) {
            int at = firstDifference(range.key(), first, last);
            List<Object> key = lookups.first(range.from(between(range.key(), first, last, at, 1, 2)));
            // A row may have gone meanwhile.
            if (key == null || KeyRangeSplit.compare(range.key(), key, first) <= 0) {
                break;
            }
            List<Object> cut = List.copyOf(key.subList(0, firstDifference(range.key(), first, key) + 1));
            if (lookups.nth(range.from(cut), pageSize) != null) {
                return cut;
            }
            if (sameKey(range.key(), key, last)) {
                // Nothing lies between the middle and the end: go on as if the end were the middle.
                last = between(range.key(), first, last, at, 1, 2);
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
    List<Object> onward(KeyRangeSplit range, List<Object> from, List<Object> to, int factor) throws IOException {
        int at = firstDifference(range.key(), from, to);
        if (at >= Math.min(from.size(), to.size())) {
            return null;
        }
        List<Object> beyond = between(range.key(), from, to, at, factor, 1);
        if (KeyRangeSplit.compare(range.key(), beyond, to) <= 0) {
            return null;
        }
        List<Object> key = lookups.first(range.from(beyond));
        return key == null ? null : List.copyOf(key.subList(0, firstDifference(range.key(), to, key) + 1));
    }

    /** The last key of a range that is not empty; where the server does not read backwards, one not far from it. */
    private List<Object> last(KeyRangeSplit range) throws IOException {
        try {
            List<Object> last = lookups.last(range);
            return last == null ? lookups.first(range) : last;
        } catch (UnsupportedOperationException e) {
            return search(range);
        }
    }

    private List<Object> search(KeyRangeSplit range) throws IOException {
        List<Object> first = lookups.first(range);
        List<Object> known = lookups.nth(range, pageSize);
        if (known == null) {
            return first;
        }
        // Ever greater steps until nothing lies beyond, then halves between the last hit and the miss.
        List<Object> origin = first;
        List<Object> miss = null;
        int column = firstDifference(range.key(), origin, known);
        for (int i = 0; miss == null && i < Long.SIZE; i++) {
            budget--;
            List<Object> probe = between(range.key(), origin, known, column, 2, 1);
            List<Object> key =
                    KeyRangeSplit.compare(range.key(), probe, known) > 0 ? lookups.first(range.from(probe)) : null;
            if (key == null) {
                miss = probe;
            } else {
                known = key;
                column = firstDifference(range.key(), origin, known);
            }
        }
        for (int i = 0; miss != null && i < CORRECTIONS; i++) {
            int at = Math.min(firstDifference(range.key(), known, miss), miss.size() - 1);
            List<Object> probe = between(range.key(), known, miss, at, 1, 2);
            if (KeyRangeSplit.compare(range.key(), probe, known) <= 0) {
                break;
            }
            budget--;
            List<Object> key = lookups.first(range.from(probe));
            if (key == null) {
                miss = probe;
            } else {
                known = key;
            }
        }
        return known;
    }

    /**
     * The tuple that shares the columns before {@code at} with {@code from} and lies so far on the way to {@code to} in
     * that column; always after {@code from}, if only as {@code to} itself.
     */
    private static List<Object> between(
            List<KeyColumn> key, List<Object> from, List<Object> to, int at, long numerator, long denominator) {
        Object value = key.get(at).keyType().at(from.get(at), to.get(at), numerator, denominator);
        if (key.get(at).compare(value, from.get(at)) <= 0) {
            value = to.get(at);
        }
        List<Object> tuple = new ArrayList<>(from.subList(0, at));
        tuple.add(value);
        return tuple;
    }

    private static boolean sameKey(List<KeyColumn> key, List<Object> a, List<Object> b) {
        int at = firstDifference(key, a, b);
        return at == a.size() - 1 && at < b.size() && key.get(at).compare(a.get(at), b.get(at)) == 0;
    }

    /** The first column in which two tuples differ; the last that both have, where they do not. */
    private static int firstDifference(List<KeyColumn> key, List<Object> a, List<Object> b) {
        int columns = Math.min(a.size(), b.size());
        for (int i = 0; i < columns - 1; i++) {
            if (key.get(i).compare(a.get(i), b.get(i)) != 0) {
                return i;
            }
        }
        return columns - 1;
    }
}
