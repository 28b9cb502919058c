package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.source.reader.RecordsBySplits;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsChange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class PageFetcherTest {

    /** Reads each split to its end at once, with no row. */
    private static final class NoRows implements SplitReader<Object, KeyRangeSplit> {
        private final RecordsBySplits.Builder<Object> finished = new RecordsBySplits.Builder<>();

        @Override
        public RecordsWithSplitIds<Object> fetch() {
            return finished.build();
        }

        @Override
        public void handleSplitsChanges(SplitsChange<KeyRangeSplit> change) {
            change.splits().forEach(split -> finished.addFinishedSplit(split.splitId()));
        }

        @Override
        public void wakeUp() {}

        @Override
        public void close() {}
    }

    private final AtomicInteger readers = new AtomicInteger();
    private final PageFetcher pages = new PageFetcher(
            () -> {
                readers.incrementAndGet();
                return new NoRows();
            },
            new Configuration());

    private void read(String splitId) throws InterruptedException {
        pages.addSplits(List.of(KeyRangeSplit.of(splitId, PrimaryKey.of(), Key.of(), null)));
        while (pages.getQueue().poll() == null) {
            Thread.sleep(1);
        }
    }

    @Test
    void aReaderWithNothingToDoKeepsItsThreadUntilTheEnd() throws Exception {
        read("1");
        // As Flink asks each time that there is no row; some time after the split, its thread is idle.
        for (int i = 0; i < 200; i++) {
            assertFalse(pages.maybeShutdownFinishedFetchers());
            Thread.sleep(1);
        }
        read("2");
        assertEquals(1, readers.get());
        pages.end();
        while (!pages.maybeShutdownFinishedFetchers()) {
            Thread.sleep(1);
        }
        assertEquals(0, pages.getNumAliveFetchers());
        pages.close(10_000);
    }

    @Test
    void aReaderThatHasReadNothingMayEnd() {
        pages.end();
        assertTrue(pages.maybeShutdownFinishedFetchers());
    }
}
