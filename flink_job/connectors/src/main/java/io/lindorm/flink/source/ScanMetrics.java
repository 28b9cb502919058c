package io.lindorm.flink.source;

import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * What one reader counts, in the group {@code lindorm} of the source operator; the README explains each.
 *
 * @param pages reads of pages, the empty ones at the ends of splits among them
 * @param retries attempts that failed and were followed by another
 * @param pageMillis how long the last reads of pages took, in milliseconds
 * @param splitsDone splits read to their ends
 */
record ScanMetrics(MetricGroup group, Counter pages, Counter retries, Histogram pageMillis, Counter splitsDone) {

    private static final int WINDOW = 1_000;

    /** Registers the metrics that are counted where things happen. */
    static ScanMetrics in(MetricGroup operator) {
        MetricGroup group = operator.addGroup("lindorm");
        return new ScanMetrics(
                group,
                group.counter("pages"),
                group.counter("retries"),
                group.histogram("pageMillis", new DescriptiveStatisticsHistogram(WINDOW)),
                group.counter("splitsDone"));
    }

    /** Counts a page that was read in so many nanoseconds. */
    void page(long nanos) {
        pages.inc();
        pageMillis.update(nanos / 1_000_000);
    }
}
