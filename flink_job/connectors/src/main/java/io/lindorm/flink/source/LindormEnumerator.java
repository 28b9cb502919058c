package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import io.lindorm.flink.rate.FairShare;
import io.lindorm.flink.rate.RatesFile;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.LongSupplier;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.util.FlinkRuntimeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands out splits, some to each reader and another for each that is done, until all have been read. When none is left
 * and a reader runs dry, it has another reader's split cut and gives it the second part.
 *
 * <p>It has the last word on where a split that was cut ends, and on whether a part that was cut off is taken: a reader
 * that is set back to a checkpoint may remember the split whole, or the part as not taken yet, while others go on. So
 * each reader tells in its first event what its checkpoint gave it back, and reads on only what the answer leaves it.
 *
 * <p>No reader is told that there is no more before all readers are done. So readers end together, and a
 * checkpoint in which some have ended and others have not, which is where Flink keeps no state of those
 * that ended, is confined to the last moment.
 */
final class LindormEnumerator implements SplitEnumerator<KeyRangeSplit, EnumeratorState> {

    private static final Logger LOG = LoggerFactory.getLogger(LindormEnumerator.class);

    /**
     * Splits that a reader takes rows from in turn, so that what one place of the key range brings does
     * not reach the same place in the target all at once.
     */
    static final int SPLITS_PER_READER = 8;

    /** For a reader that still has something to read, only a split that has been read for so long is cut. */
    private static final long WORTH_CUTTING_NANOS = 2_000_000_000L;

    /** How often the rates file is looked at; Kubernetes itself takes about a minute to renew it. */
    private static final long RATES_PERIOD_MS = 5_000;

    /** How often the rate is divided anew by what readers need. */
    private static final long SHARING_PERIOD_NANOS = 1_000_000_000L;

    /** A split that some reader has. */
    private static final class Assignment {
        private long since;
        private boolean tooSmallToCut;

        private Assignment(long since) {
            this.since = since;
        }
    }

    private final SplitEnumeratorContext<KeyRangeSplit> context;
    private final Callable<List<KeyRangeSplit>> planner;
    private final RatesFile rate;
    private final LongSupplier clock;
    private final Deque<KeyRangeSplit> pending;
    private final Map<String, Key> ends;
    private final Set<String> accepted;
    private boolean planned;

    /** What each reader that has reported holds, by subtask. */
    private final Map<Integer, Map<String, Assignment>> assignments = new HashMap<>();

    /** The split that each of some readers has been asked to cut. */
    private final Map<Integer, String> askedToCut = new HashMap<>();

    /** Readers that have been told that there is no more: they may have ended, and get nothing again. */
    private final Set<Integer> signalled = new HashSet<>();

    /** The share of the rate that each reader has been told. */
    private final Map<Integer, Double> rates = new HashMap<>();

    /** What readers have said they need of it; who has said nothing could use all. */
    private final Map<Integer, Double> needs = new HashMap<>();

    private double rowsPerSecond;
    private long sharedAt;

    /**
     * @param planner cuts the table into splits
     * @param clock nanoseconds from any beginning
     */
    LindormEnumerator(
            SplitEnumeratorContext<KeyRangeSplit> context,
            Callable<List<KeyRangeSplit>> planner,
            RatesFile rate,
            LongSupplier clock,
            EnumeratorState state) {
        this.context = context;
        this.planner = planner;
        this.rate = rate;
        this.clock = clock;
        this.planned = state.planned();
        this.pending = new ArrayDeque<>(state.pending());
        this.ends = new HashMap<>(state.ends());
        this.accepted = new HashSet<>(state.accepted());
    }

    @Override
    public void start() {
        if (context.metricGroup() != null) {
            context.metricGroup().setUnassignedSplitsGauge(() -> (long) pending.size());
        }
        try {
            // At once, before there is anything to read.
            rowsPerSecond = rate.perSecond();
        } catch (UserError e) {
            throw e.endingTheJob();
        }
        if (rate.mayChange()) {
            context.callAsync(rate::perSecond, this::takeRate, RATES_PERIOD_MS, RATES_PERIOD_MS);
        }
        if (!planned) {
            context.callAsync(planner, this::takePlan);
        }
    }

    private void takePlan(List<KeyRangeSplit> splits, Throwable error) {
        if (error instanceof UserError) {
            throw ((UserError) error).endingTheJob();
        }
        if (error != null) {
            throw new FlinkRuntimeException(error);
        }
        LOG.info("The table is read in {} splits", splits.size());
        pending.addAll(splits);
        planned = true;
        assign();
    }

    private void takeRate(Double newRowsPerSecond, Throwable error) {
        if (error != null) {
            throw new FlinkRuntimeException(error);
        }
        rowsPerSecond = newRowsPerSecond;
        shareRate();
    }

    @Override
    public void handleSourceEvent(int subtask, SourceEvent event) {
        if (event instanceof ScanEvents.Started started) {
            resume(subtask, started);
        } else if (event instanceof ScanEvents.Finished finished) {
            assignments.get(subtask).keySet().removeAll(finished.splitIds());
            askedToCut.computeIfPresent(
                    subtask, (reader, splitId) -> finished.splitIds().contains(splitId) ? null : splitId);
        } else if (event instanceof ScanEvents.Offered offered) {
            askedToCut.remove(subtask);
            assignments.get(subtask).get(offered.cutId()).since = clock.getAsLong();
            ends.put(offered.cutId(), offered.parts().get(0).lower());
            for (KeyRangeSplit part : offered.parts()) {
                accept(part);
                context.sendEventToSourceReader(subtask, new ScanEvents.Accepted(part.splitId()));
            }
        } else if (event instanceof ScanEvents.Need need) {
            needs.put(subtask, need.rowsPerSecond());
            if (clock.getAsLong() - sharedAt >= SHARING_PERIOD_NANOS) {
                shareRate();
            }
            return;
        } else if (event instanceof ScanEvents.NotCut notCut) {
            askedToCut.remove(subtask);
            assignments.get(subtask).get(notCut.splitId()).tooSmallToCut = true;
        } else {
            throw new IllegalArgumentException("unknown event: " + event);
        }
        assign();
    }

    private void resume(int subtask, ScanEvents.Started started) {
        Map<String, Assignment> resumed = new HashMap<>();
        List<KeyRangeSplit> open = new ArrayList<>();
        for (KeyRangeSplit split : started.open()) {
            open.add(cutAsKnown(split));
            resumed.put(split.splitId(), new Assignment(clock.getAsLong()));
        }
        assignments.put(subtask, resumed);
        signalled.remove(subtask);
        for (KeyRangeSplit rest : started.offered()) {
            if (!accepted.contains(rest.splitId())) {
                // Of the split that it was cut from the reader itself remembers the end.
                accept(rest);
            }
        }
        needs.remove(subtask);
        double share = shares().getOrDefault(subtask, rowsPerSecond / context.currentParallelism());
        rates.put(subtask, share);
        context.sendEventToSourceReader(subtask, new ScanEvents.Resume(open, share));
    }

    /** Takes a part that a reader has cut off. */
    private void accept(KeyRangeSplit part) {
        accepted.add(part.splitId());
        pending.add(part.as(KeyRangeSplit.Kind.OPEN));
    }

    /** A split as a checkpoint remembers it, with the end that it has by now. */
    private KeyRangeSplit cutAsKnown(KeyRangeSplit split) {
        Key end = split.key().typed(ends.get(split.splitId()));
        return end != null && (split.upper() == null || split.key().compare(end, split.upper()) < 0)
                ? split.until(end)
                : split;
    }

    /** Gives each reader what it has room for, the emptiest first; with nothing left anywhere, ends. */
    private void assign() {
        if (!planned) {
            return;
        }
        // A reader that has failed is not to be spoken to before it reports anew.
        assignments.keySet().retainAll(context.registeredReaders().keySet());
        askedToCut.keySet().retainAll(assignments.keySet());
        for (int load = 0; load < SPLITS_PER_READER && !pending.isEmpty(); load++) {
            for (Map.Entry<Integer, Map<String, Assignment>> reader : assignments.entrySet()) {
                if (reader.getValue().size() == load && !signalled.contains(reader.getKey()) && !pending.isEmpty()) {
                    KeyRangeSplit split = pending.poll();
                    reader.getValue().put(split.splitId(), new Assignment(clock.getAsLong()));
                    context.assignSplit(split, reader.getKey());
                }
            }
        }
        shareRate();
        if (!pending.isEmpty()) {
            return;
        }
        if (assignments.size() == context.currentParallelism()
                && assignments.values().stream().allMatch(Map::isEmpty)) {
            for (int subtask : assignments.keySet()) {
                if (signalled.add(subtask)) {
                    context.signalNoMoreSplits(subtask);
                }
            }
            return;
        }
        askForCuts();
    }

    /** For each reader that is running dry, has a split of another cut: the one that is being read the longest. */
    private void askForCuts() {
        long hungry = assignments.entrySet().stream()
                .filter(reader -> reader.getValue().size() < 2 && !signalled.contains(reader.getKey()))
                .count();
        for (long wanted = hungry - askedToCut.size(); wanted > 0; wanted--) {
            // Not each hungry reader in its own right: whoever is emptiest gets what comes.
            boolean idle = idle() > askedToCut.size();
            long now = clock.getAsLong();
            int owner = -1;
            String splitId = null;
            double longest = -1;
            for (Map.Entry<Integer, Map<String, Assignment>> reader : assignments.entrySet()) {
                boolean isOnlyHungryReader = hungry == 1 && reader.getValue().size() < 2;
                if (askedToCut.containsKey(reader.getKey()) || isOnlyHungryReader) {
                    continue;
                }
                for (Map.Entry<String, Assignment> split : reader.getValue().entrySet()) {
                    long age = now - split.getValue().since;
                    // As much is left as has been read, for all that is known. A reader takes its splits in turn, so
                    // each is read for a share of the time only; and it gives away one of several, or half of the only
                    // one.
                    double score = (double) age / Math.max(2, reader.getValue().size());
                    if (!split.getValue().tooSmallToCut && (idle || age >= WORTH_CUTTING_NANOS) && score > longest) {
                        owner = reader.getKey();
                        splitId = split.getKey();
                        longest = score;
                    }
                }
            }
            if (splitId == null) {
                return;
            }
            askedToCut.put(owner, splitId);
            context.sendEventToSourceReader(owner, new ScanEvents.Cut(splitId));
        }
    }

    private long idle() {
        return assignments.entrySet().stream()
                .filter(reader -> reader.getValue().isEmpty() && !signalled.contains(reader.getKey()))
                .count();
    }

    /** Tells each reader its share of the rate, where that has changed. */
    private void shareRate() {
        sharedAt = clock.getAsLong();
        shares().forEach((subtask, share) -> {
            if (!signalled.contains(subtask) && !share.equals(rates.put(subtask, share))) {
                context.sendEventToSourceReader(subtask, new ScanEvents.Rate(share));
            }
        });
    }

    /** The rate divided among the readers that have something to read. */
    private Map<Integer, Double> shares() {
        Map<Integer, Double> shares = new HashMap<>();
        List<Integer> reading = new ArrayList<>(assignments.keySet());
        reading.removeIf(subtask -> assignments.get(subtask).isEmpty());
        double[] divided = FairShare.divide(
                rowsPerSecond, reading.stream().mapToDouble(this::need).toArray());
        for (int i = 0; i < divided.length; i++) {
            shares.put(reading.get(i), divided[i]);
        }
        return shares;
    }

    private double need(int subtask) {
        return needs.getOrDefault(subtask, Double.POSITIVE_INFINITY);
    }

    @Override
    public void addSplitsBack(List<KeyRangeSplit> splits, int subtask) {
        // Called for every reader that is reset, also with no splits: what it holds it will report anew.
        assignments.remove(subtask);
        askedToCut.remove(subtask);
        rates.remove(subtask);
        splits.forEach(split -> pending.addFirst(cutAsKnown(split)));
        assign();
    }

    @Override
    public void addReader(int subtask) {
        // A reader counts from its first event on.
    }

    @Override
    public void handleSplitRequest(int subtask, String host) {
        // Readers report what they have finished instead of asking.
    }

    @Override
    public EnumeratorState snapshotState(long checkpointId) {
        return new EnumeratorState(planned, List.copyOf(pending), Map.copyOf(ends), Set.copyOf(accepted));
    }

    @Override
    public void close() {
        // The planner closes its own session.
    }
}
