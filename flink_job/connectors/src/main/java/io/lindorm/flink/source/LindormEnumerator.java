package io.lindorm.flink.source;

import io.lindorm.flink.UserError;

import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.FlinkRuntimeException;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Hands out splits, a few to each reader and another for each that is done, until all have been read.
 *
 * <p>No reader is told that there is no more before all readers are done. So readers end together, and a
 * checkpoint in which some have ended and others have not, which is where Flink keeps no state of those
 * that ended, is confined to the last moment. To know what readers hold after a restart, each tells in
 * its first event what its checkpoint gave it back.
 */
final class LindormEnumerator implements SplitEnumerator<KeyRangeSplit, SplitBacklog> {

    private static final Logger LOG = LoggerFactory.getLogger(LindormEnumerator.class);

    /**
     * Splits that a reader takes pages from in turn, so that what one place of the key range brings does
     * not reach the same place in the target all at once.
     */
    static final int SPLITS_PER_READER = 4;

    /** Splits to look for per reader: some more than it reads at a time, so that none is left idle early. */
    private static final int WANTED_PER_READER = 2 * SPLITS_PER_READER;

    private final SplitEnumeratorContext<KeyRangeSplit> context;
    private final Server server;
    private final Scan scan;
    private final RowType wanted;
    private final Deque<KeyRangeSplit> pending;
    private boolean planned;

    /** What each reader that has reported holds, by subtask. */
    private final Map<Integer, Set<String>> held = new HashMap<>();

    LindormEnumerator(
            SplitEnumeratorContext<KeyRangeSplit> context,
            Server server,
            Scan scan,
            RowType wanted,
            SplitBacklog backlog) {
        this.context = context;
        this.server = server;
        this.scan = scan;
        this.wanted = wanted;
        this.planned = backlog.planned();
        this.pending = new ArrayDeque<>(backlog.pending());
    }

    @Override
    public void start() {
        if (planned) {
            return;
        }
        int splits = scan.splits() > 0 ? scan.splits() : WANTED_PER_READER * context.currentParallelism();
        context.callAsync(() -> SplitPlanner.plan(server, scan, wanted, splits), this::takePlan);
    }

    private void takePlan(List<KeyRangeSplit> splits, Throwable error) {
        if (error instanceof UserError) {
            throw ((UserError) error).endingTheJob();
        }
        if (error != null) {
            throw new FlinkRuntimeException(error);
        }
        LOG.info("Table {} is read in {} splits", scan.table(), splits.size());
        pending.addAll(splits);
        planned = true;
        hand();
    }

    @Override
    public void handleSourceEvent(int subtask, SourceEvent event) {
        SplitEvent report = (SplitEvent) event;
        if (report.started()) {
            held.put(subtask, new HashSet<>(report.splitIds()));
        } else {
            held.get(subtask).removeAll(report.splitIds());
        }
        hand();
    }

    /** Gives each reader what it has room for, the emptiest first; with nothing left anywhere, ends. */
    private void hand() {
        if (!planned) {
            return;
        }
        for (int load = 0; load < SPLITS_PER_READER && !pending.isEmpty(); load++) {
            for (Map.Entry<Integer, Set<String>> reader : held.entrySet()) {
                if (reader.getValue().size() == load && !pending.isEmpty()) {
                    KeyRangeSplit split = pending.poll();
                    reader.getValue().add(split.splitId());
                    context.assignSplit(split, reader.getKey());
                }
            }
        }
        if (pending.isEmpty()
                && held.size() == context.currentParallelism()
                && held.values().stream().allMatch(Set::isEmpty)) {
            held.keySet().forEach(context::signalNoMoreSplits);
        }
    }

    @Override
    public void addSplitsBack(List<KeyRangeSplit> splits, int subtask) {
        // Called for every reader that is reset, also with no splits: what it holds it will report anew.
        held.remove(subtask);
        splits.forEach(pending::addFirst);
        hand();
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
    public SplitBacklog snapshotState(long checkpointId) {
        return new SplitBacklog(planned, List.copyOf(pending));
    }

    @Override
    public void close() {
        // The planner closes its own session.
    }
}
