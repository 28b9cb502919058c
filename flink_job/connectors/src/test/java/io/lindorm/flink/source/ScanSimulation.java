package io.lindorm.flink.source;

import io.lindorm.flink.rate.RatesFile;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.ReaderInfo;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.metrics.groups.SourceReaderMetricGroup;
import org.apache.flink.metrics.groups.SplitEnumeratorMetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.runtime.metrics.groups.InternalSourceReaderMetricGroup;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.UserCodeClassLoader;

/**
 * The enumerator and the readers of a scan, with a stand-in for what Flink does between them: events, checkpoints,
 * failures of one task and of all, another parallelism. Events of the enumerator keep to their place in a checkpoint
 * as Flink's do (OperatorCoordinator's Javadoc): those sent after its part of a checkpoint wait for the readers' part.
 */
final class ScanSimulation {

    /** One task: its reader, and the rows that have come out of it so far. */
    private final class Task implements ReaderOutput<RowData> {
        private final int subtask;
        private final LindormSourceReader reader;
        private final Deque<SourceEvent> toEnumerator = new ArrayDeque<>();
        private final Deque<Runnable> fromEnumerator = new ArrayDeque<>();

        /** What was sent when the enumerator's part of a checkpoint was done and this reader's was not. */
        private final Deque<Runnable> heldBack = new ArrayDeque<>();

        private final List<String> out;
        private boolean atEnd;

        Task(int subtask, List<KeyRangeSplit> restored, List<String> out) {
            this.subtask = subtask;
            this.out = new ArrayList<>(out);
            this.reader = LindormSourceReader.of(readerContext(this), tables, scan, wanted);
            if (!restored.isEmpty()) {
                reader.addSplits(restored);
            }
            reader.start();
        }

        @Override
        public void collect(RowData row) {
            out.add(row.toString());
        }

        @Override
        public void collect(RowData row, long timestamp) {
            collect(row);
        }

        @Override
        public void emitWatermark(Watermark watermark) {}

        @Override
        public void markIdle() {}

        @Override
        public void markActive() {}

        @Override
        public SourceOutput<RowData> createOutputForSplit(String splitId) {
            return this;
        }

        @Override
        public void releaseOutputForSplit(String splitId) {}
    }

    /** A complete checkpoint. */
    private static final class Checkpoint {
        private EnumeratorState state = EnumeratorState.NOT_PLANNED;
        private final Map<Integer, List<KeyRangeSplit>> splits = new HashMap<>();
        private final Map<Integer, List<String>> out = new HashMap<>();
    }

    private final Scan scan;
    private final Wanted wanted;
    private final Function<Runnable, TableReader> tables;
    private final Callable<List<KeyRangeSplit>> planner;
    private final Random random;
    private final List<Task> tasks = new ArrayList<>();
    private final Map<Integer, List<KeyRangeSplit>> assignedSinceCheckpoint = new HashMap<>();
    private Checkpoint last = new Checkpoint();
    private Checkpoint running;
    private LindormEnumerator enumerator;
    private int parallelism;
    private long clock;
    int cuts;
    int failures;

    ScanSimulation(
            Scan scan,
            Wanted wanted,
            Function<Runnable, TableReader> tables,
            Callable<List<KeyRangeSplit>> planner,
            int parallelism,
            Random random) {
        this.scan = scan;
        this.wanted = wanted;
        this.tables = tables;
        this.planner = planner;
        this.parallelism = parallelism;
        this.random = random;
    }

    /** Runs to the end; returns all rows that came out, and checks nothing. */
    List<String> run(int failuresWanted) throws Exception {
        startAll(Map.of(), Map.of());
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!tasks.stream().allMatch(task -> task.atEnd)) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("the scan does not end: " + describe());
            }
            step(failuresWanted);
        }
        for (Task task : tasks) {
            task.reader.close();
        }
        return tasks.stream().flatMap(task -> task.out.stream()).toList();
    }

    private String describe() {
        StringBuilder said = new StringBuilder("running checkpoint: " + (running != null));
        for (Task task : tasks) {
            said.append("\n")
                    .append(task.subtask)
                    .append(task.atEnd ? " at its end" : "")
                    .append(", to the enumerator ")
                    .append(task.toEnumerator)
                    .append(", from it ")
                    .append(task.fromEnumerator.size())
                    .append(", open ")
                    .append(task.reader.snapshotState(99))
                    .append(", rows ")
                    .append(task.out.size());
        }
        return said + "\nbacklog " + enumerator.snapshotState(99);
    }

    /** What a checkpoint at the end would say of the rows read. */
    long rowsRead() {
        return tasks.stream()
                .flatMap(task -> task.reader.snapshotState(99).stream())
                .mapToLong(KeyRangeSplit::rowsRead)
                .sum();
    }

    private void step(int failuresWanted) throws Exception {
        clock += random.nextInt(1_000_000_000);
        Task task = tasks.get(random.nextInt(tasks.size()));
        int what = random.nextInt(100);
        if (what < 50) {
            poll(task);
        } else if (what < 65) {
            deliverOne(task);
        } else if (what < 80) {
            if (!task.toEnumerator.isEmpty()) {
                enumerator.handleSourceEvent(task.subtask, task.toEnumerator.poll());
            }
        } else if (what < 97 || random.nextBoolean()) {
            checkpoint();
        } else if (failures < failuresWanted) {
            failures++;
            if (random.nextBoolean()) {
                // Rather one that was in the middle of handing a part over: that is where rows could come twice.
                failOne(tasks.stream().filter(this::wasOffering).findAny().orElse(task));
            } else {
                failAll();
            }
        }
    }

    private boolean wasOffering(Task task) {
        return last.splits.getOrDefault(task.subtask, List.of()).stream()
                .anyMatch(split -> split.kind() == KeyRangeSplit.Kind.OFFERED);
    }

    private void poll(Task task) throws Exception {
        for (int i = random.nextInt(60); i > 0 && !task.atEnd; i--) {
            InputStatus status = task.reader.pollNext(task);
            if (status == InputStatus.END_OF_INPUT) {
                task.atEnd = true;
            } else if (status == InputStatus.NOTHING_AVAILABLE) {
                try {
                    task.reader.isAvailable().get(1, TimeUnit.MILLISECONDS);
                } catch (TimeoutException e) {
                    return;
                }
            }
        }
    }

    private void deliverOne(Task task) {
        if (!task.fromEnumerator.isEmpty()) {
            task.fromEnumerator.poll().run();
        }
    }

    /** Begins a checkpoint, or does the next reader's part of the one that is running. */
    private void checkpoint() {
        if (tasks.stream().anyMatch(task -> task.atEnd)) {
            abortCheckpoint();
            return;
        }
        if (running == null) {
            running = new Checkpoint();
            running.state = copy(enumerator.snapshotState(1));
            return;
        }
        for (Task task : tasks) {
            if (!running.splits.containsKey(task.subtask)) {
                while (!task.fromEnumerator.isEmpty()) {
                    deliverOne(task);
                }
                List<KeyRangeSplit> splits = new ArrayList<>();
                for (KeyRangeSplit split : task.reader.snapshotState(1)) {
                    splits.add(copy(split));
                }
                running.splits.put(task.subtask, splits);
                running.out.put(task.subtask, List.copyOf(task.out));
                task.fromEnumerator.addAll(task.heldBack);
                task.heldBack.clear();
                return;
            }
        }
        last = running;
        running = null;
        assignedSinceCheckpoint.clear();
        assignedSinceCheckpoint.putAll(assignedSinceSnapshot);
        assignedSinceSnapshot.clear();
    }

    /** Of those, what was assigned after the enumerator's part of the running checkpoint. */
    private final Map<Integer, List<KeyRangeSplit>> assignedSinceSnapshot = new HashMap<>();

    private void abortCheckpoint() {
        if (running != null) {
            running = null;
            assignedSinceSnapshot.forEach((subtask, splits) -> assignedSinceCheckpoint
                    .computeIfAbsent(subtask, s -> new ArrayList<>())
                    .addAll(splits));
            assignedSinceSnapshot.clear();
            for (Task task : tasks) {
                task.fromEnumerator.addAll(task.heldBack);
                task.heldBack.clear();
            }
        }
    }

    /** One task fails and is set back to the checkpoint; the enumerator and the others go on. */
    private void failOne(Task task) throws Exception {
        if (task.atEnd) {
            return;
        }
        abortCheckpoint();
        task.reader.close();
        List<KeyRangeSplit> back = assignedSinceCheckpoint.remove(task.subtask);
        tasks.set(
                tasks.indexOf(task),
                new Task(
                        task.subtask,
                        last.splits.getOrDefault(task.subtask, List.of()),
                        last.out.getOrDefault(task.subtask, List.of())));
        enumerator.addSplitsBack(back == null ? List.of() : back, task.subtask);
    }

    /** The job fails and is set back to the checkpoint, perhaps with another parallelism. */
    private void failAll() throws Exception {
        running = null;
        for (Task task : tasks) {
            task.reader.close();
        }
        List<KeyRangeSplit> splits =
                last.splits.values().stream().flatMap(List::stream).toList();
        List<String> out = last.out.values().stream().flatMap(List::stream).toList();
        parallelism = 1 + random.nextInt(4);
        Map<Integer, List<KeyRangeSplit>> dealt = new HashMap<>();
        for (KeyRangeSplit split : splits) {
            dealt.computeIfAbsent(random.nextInt(parallelism), s -> new ArrayList<>())
                    .add(split);
        }
        EnumeratorState state = last.state;
        last = new Checkpoint();
        last.state = state;
        last.splits.putAll(dealt);
        last.out.put(0, out);
        startAll(dealt, Map.of(0, out));
    }

    private void startAll(Map<Integer, List<KeyRangeSplit>> splits, Map<Integer, List<String>> out) {
        tasks.clear();
        assignedSinceCheckpoint.clear();
        assignedSinceSnapshot.clear();
        enumerator = new LindormEnumerator(
                enumeratorContext(),
                planner,
                new RatesFile(null, "rowsPerSecond", Double.POSITIVE_INFINITY),
                () -> clock,
                last.state);
        for (int subtask = 0; subtask < parallelism; subtask++) {
            tasks.add(new Task(subtask, splits.getOrDefault(subtask, List.of()), out.getOrDefault(subtask, List.of())));
        }
        enumerator.start();
    }

    private KeyRangeSplit copy(KeyRangeSplit split) {
        try {
            KeyRangeSplitSerializer serializer = new KeyRangeSplitSerializer();
            return serializer.deserialize(2, serializer.serialize(split));
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private EnumeratorState copy(EnumeratorState state) {
        try {
            EnumeratorState.Serializer serializer = new EnumeratorState.Serializer();
            return serializer.deserialize(2, serializer.serialize(state));
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private void send(int subtask, Runnable delivery) {
        Task task = tasks.get(subtask);
        boolean afterItsPart = running != null && !running.splits.containsKey(subtask);
        (afterItsPart ? task.heldBack : task.fromEnumerator).add(delivery);
    }

    private SourceReaderContext readerContext(Task task) {
        SourceReaderMetricGroup metrics = InternalSourceReaderMetricGroup.mock(new UnregisteredMetricsGroup());
        return new SourceReaderContext() {
            @Override
            public SourceReaderMetricGroup metricGroup() {
                return metrics;
            }

            @Override
            public Configuration getConfiguration() {
                return new Configuration();
            }

            @Override
            public String getLocalHostName() {
                return "localhost";
            }

            @Override
            public int getIndexOfSubtask() {
                return task.subtask;
            }

            @Override
            public void sendSplitRequest() {}

            @Override
            public void sendSourceEventToCoordinator(SourceEvent event) {
                if (event instanceof ScanEvents.Offered offered) {
                    cuts += offered.parts().size();
                }
                task.toEnumerator.add(event);
            }

            @Override
            public UserCodeClassLoader getUserCodeClassLoader() {
                throw new UnsupportedOperationException();
            }
        };
    }

    private SplitEnumeratorContext<KeyRangeSplit> enumeratorContext() {
        return new SplitEnumeratorContext<>() {
            @Override
            public SplitEnumeratorMetricGroup metricGroup() {
                return null;
            }

            @Override
            public void sendEventToSourceReader(int subtask, SourceEvent event) {
                Task task = tasks.get(subtask);
                send(subtask, () -> task.reader.handleSourceEvents(event));
            }

            @Override
            public int currentParallelism() {
                return parallelism;
            }

            @Override
            public Map<Integer, ReaderInfo> registeredReaders() {
                Map<Integer, ReaderInfo> readers = new HashMap<>();
                tasks.forEach(task -> readers.put(task.subtask, new ReaderInfo(task.subtask, "localhost")));
                return readers;
            }

            @Override
            public void assignSplits(SplitsAssignment<KeyRangeSplit> assignment) {
                assignment.assignment().forEach((subtask, splits) -> {
                    Task task = tasks.get(subtask);
                    (running == null ? assignedSinceCheckpoint : assignedSinceSnapshot)
                            .computeIfAbsent(subtask, s -> new ArrayList<>())
                            .addAll(splits);
                    send(subtask, () -> task.reader.addSplits(splits));
                });
            }

            @Override
            public void signalNoMoreSplits(int subtask) {
                Task task = tasks.get(subtask);
                send(subtask, task.reader::notifyNoMoreSplits);
            }

            @Override
            public <T> void callAsync(Callable<T> callable, BiConsumer<T, Throwable> handler) {
                T result;
                try {
                    result = callable.call();
                } catch (Exception e) {
                    handler.accept(null, e);
                    return;
                }
                handler.accept(result, null);
            }

            @Override
            public <T> void callAsync(Callable<T> callable, BiConsumer<T, Throwable> handler, long delay, long period) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void runInCoordinatorThread(Runnable runnable) {
                runnable.run();
            }
        };
    }
}
