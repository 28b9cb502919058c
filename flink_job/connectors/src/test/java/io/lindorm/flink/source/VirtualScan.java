package io.lindorm.flink.source;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.BiConsumer;
import java.util.function.IntToLongFunction;
import org.apache.flink.api.connector.source.ReaderInfo;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsAddition;
import org.apache.flink.metrics.groups.SplitEnumeratorMetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

/** The enumerator and the page readers of a scan on a {@link VirtualClock}, on which every query takes its time. */
final class VirtualScan {

    private static final long MILLISECOND = 1_000_000L;

    /** A reader, and what Flink's own thread would do for it. */
    private final class Reader implements Runnable {
        private final int subtask;
        private final ReaderChannel channel = new ReaderChannel(clock);
        private final PageReader pages;
        private final Deque<List<KeyRangeSplit>> assigned = new ArrayDeque<>();
        private boolean noMore;

        /** In nanoseconds: what queries took. */
        private long busy;

        Reader(int subtask) {
            this.subtask = subtask;
            this.pages = new PageReader(
                    onRetry -> table(subtask), scan, wanted, channel, ScanMetrics.in(new UnregisteredMetricsGroup()));
        }

        @Override
        public void run() {
            try {
                clock.sleep(0);
                enumerator.handleSourceEvent(subtask, new ScanEvents.Started(List.of(), List.of()));
                while (!noMore && failure == null) {
                    while (!assigned.isEmpty()) {
                        pages.handleSplitsChanges(new SplitsAddition<>(assigned.poll()));
                    }
                    PageBatch batch = (PageBatch) pages.fetch();
                    if (batch.isEmpty()) {
                        clock.sleep(MILLISECOND);
                    }
                    handOn(batch);
                }
            } catch (Exception | AssertionError e) {
                failure = e;
            } finally {
                clock.end();
            }
        }

        private void handOn(PageBatch batch) {
            for (String split = batch.nextSplit(); split != null; split = batch.nextSplit()) {
                for (Object element = batch.nextRecordFromSplit();
                        element != null;
                        element = batch.nextRecordFromSplit()) {
                    if (element instanceof GenericRowData row) {
                        out.add(new Out(subtask, clock.getAsLong(), row));
                    } else if (element instanceof PageBatch.Change.CutOff cut) {
                        send(new ScanEvents.Offered(split, cut.parts()));
                    } else if (element instanceof PageBatch.Change.NotCut) {
                        send(new ScanEvents.NotCut(split));
                    } else if (element instanceof PageBatch.Change.Need need) {
                        send(new ScanEvents.Need(need.rowsPerSecond()));
                    }
                }
            }
            if (!batch.finishedSplits().isEmpty()) {
                batch.finishedSplits().forEach(channel::forgetCut);
                send(new ScanEvents.Finished(List.copyOf(batch.finishedSplits())));
            }
        }

        private void send(SourceEvent event) {
            enumerator.handleSourceEvent(subtask, event);
        }

        private void receive(SourceEvent event) {
            if (event instanceof ScanEvents.Resume resume) {
                channel.pacer().setRate(resume.rowsPerSecond());
            } else if (event instanceof ScanEvents.Rate rate) {
                channel.pacer().setRate(rate.rowsPerSecond());
            } else if (event instanceof ScanEvents.Cut cut) {
                channel.askForCut(cut.splitId());
            }
        }
    }

    /** A row as it came out. */
    record Out(int subtask, long nanos, GenericRowData row) {}

    private final PrimaryKey key;
    private final NavigableSet<Key> rows;
    private final Scan scan;
    private final Wanted wanted;
    private final IntToLongFunction latency;
    private final VirtualClock clock;
    private final List<Reader> readers = new ArrayList<>();
    private final LindormEnumerator enumerator;
    private final Map<Long, Runnable> happenings = new TreeMap<>();
    private Runnable periodic;
    private long period;
    private Throwable failure;

    final List<Out> out = new ArrayList<>();

    /** When all had been read, and when the first reader began, in nanoseconds. */
    long end;

    long planned;
    int lookups;
    int pages;

    /**
     * @param parallelism how many readers there are
     * @param latency nanoseconds that a query of a reader takes; of the enumerator, which is -1, too
     */
    VirtualScan(
            PrimaryKey key,
            NavigableSet<Key> rows,
            Scan scan,
            RowType wanted,
            int parallelism,
            IntToLongFunction latency) {
        this.key = key;
        this.rows = rows;
        this.scan = scan;
        this.wanted = new Wanted(wanted, false);
        this.latency = latency;
        this.clock = new VirtualClock(parallelism + 1);
        for (int subtask = 0; subtask < parallelism; subtask++) {
            readers.add(new Reader(subtask));
        }
        int splits = scan.splits() > 0 ? scan.splits() : LindormEnumerator.SPLITS_PER_READER * parallelism;
        this.enumerator = new LindormEnumerator(
                context(),
                () -> SplitPlanner.cut(
                        table(-1), KeyRangeSplit.of("", key, rows.first().prefix(1), null), scan, splits),
                scan.rate(),
                clock,
                EnumeratorState.NOT_PLANNED);
    }

    /** Has something happen at a time. */
    VirtualScan at(long nanos, Runnable happening) {
        happenings.put(nanos, happening);
        return this;
    }

    /** Reads the whole table. */
    VirtualScan run() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        threads.add(new Thread(() -> {
            clock.sleep(0);
            try {
                enumerator.start();
                planned = clock.getAsLong();
                while (readers.stream().anyMatch(reader -> !reader.noMore)) {
                    clock.sleep(MILLISECOND);
                    happenings.entrySet().removeIf(happening -> {
                        boolean due = happening.getKey() <= clock.getAsLong();
                        if (due) {
                            happening.getValue().run();
                        }
                        return due;
                    });
                    if (periodic != null && clock.getAsLong() / MILLISECOND % period == 0) {
                        periodic.run();
                    }
                }
            } catch (RuntimeException | AssertionError e) {
                failure = e;
            } finally {
                clock.end();
            }
        }));
        readers.forEach(reader -> threads.add(new Thread(reader)));
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        end = clock.getAsLong();
        if (failure != null) {
            throw new AssertionError(failure);
        }
        return this;
    }

    /** Nanoseconds that each reader spent on queries. */
    List<Long> busy() {
        return readers.stream().map(reader -> reader.busy).toList();
    }

    private MemoryTable table(int reader) {
        return new MemoryTable(key, rows, true, page -> {
            clock.sleep(latency.applyAsLong(reader));
            if (reader >= 0) {
                readers.get(reader).busy += latency.applyAsLong(reader);
                pages += page ? 1 : 0;
                lookups += page ? 0 : 1;
            }
        }) {
            @Override
            public boolean waitFor(long millis) {
                clock.sleep(millis * MILLISECOND);
                return true;
            }
        };
    }

    private SplitEnumeratorContext<KeyRangeSplit> context() {
        return new SplitEnumeratorContext<>() {
            @Override
            public SplitEnumeratorMetricGroup metricGroup() {
                return null;
            }

            @Override
            public void sendEventToSourceReader(int subtask, SourceEvent event) {
                readers.get(subtask).receive(event);
            }

            @Override
            public int currentParallelism() {
                return readers.size();
            }

            @Override
            public Map<Integer, ReaderInfo> registeredReaders() {
                Map<Integer, ReaderInfo> registered = new HashMap<>();
                readers.forEach(reader -> registered.put(reader.subtask, new ReaderInfo(reader.subtask, "localhost")));
                return registered;
            }

            @Override
            public void assignSplits(SplitsAssignment<KeyRangeSplit> assignment) {
                assignment
                        .assignment()
                        .forEach((subtask, splits) ->
                                readers.get(subtask).assigned.add(splits));
            }

            @Override
            public void signalNoMoreSplits(int subtask) {
                readers.get(subtask).noMore = true;
            }

            @Override
            public <T> void callAsync(Callable<T> callable, BiConsumer<T, Throwable> handler) {
                try {
                    handler.accept(callable.call(), null);
                } catch (Exception e) {
                    handler.accept(null, e);
                }
            }

            @Override
            public <T> void callAsync(Callable<T> callable, BiConsumer<T, Throwable> handler, long delay, long period) {
                periodic = () -> callAsync(callable, handler);
                VirtualScan.this.period = period;
                if (delay == 0) {
                    periodic.run();
                }
            }

            @Override
            public void runInCoordinatorThread(Runnable runnable) {
                runnable.run();
            }
        };
    }
}
