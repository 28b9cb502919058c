package io.lindorm.flink.source;

import java.util.function.Supplier;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.source.reader.fetcher.SingleThreadFetcherManager;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;

/**
 * One reading thread for a reader's whole life. Flink itself ends a thread that has nothing to do and begins another for
 * the next split. Flink 1.20.0's queue may then wake the thread that has ended in place of the one that waits for room,
 * which waits for good, and so does the job (https://issues.apache.org/jira/browse/FLINK-37663).
 */
final class PageFetcher extends SingleThreadFetcherManager<Object, KeyRangeSplit> {

    private boolean mayEnd;

    PageFetcher(Supplier<SplitReader<Object, KeyRangeSplit>> pages, Configuration configuration) {
        super(pages, configuration);
    }

    /** Says that no split will be added any more. */
    void end() {
        mayEnd = true;
    }

    @Override
    public boolean maybeShutdownFinishedFetchers() {
        return mayEnd && super.maybeShutdownFinishedFetchers();
    }
}
