package io.lindorm.flink.source;

import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.table.data.RowData;

/**
 * A bounded source of the rows of a Lindorm table. After a failure it goes on, for each range of keys,
 * right after the last row that the checkpoint has seen: no row is lost, none comes twice.
 */
final class LindormSource implements Source<RowData, KeyRangeSplit, EnumeratorState> {

    private static final long serialVersionUID = 1L;

    /** Each costs a point query, and splits are cut further while they are read. */
    private static final int MOST_SPLITS = 320;

    private final Server server;
    private final Scan scan;
    private final Wanted wanted;

    LindormSource(Server server, Scan scan, Wanted wanted) {
        this.server = server;
        this.scan = scan;
        this.wanted = wanted;
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<RowData, KeyRangeSplit> createReader(SourceReaderContext context) {
        return LindormSourceReader.of(
                // What there is to read has been planned, so a login has worked.
                context, onRetry -> new LindormTable(server, scan, wanted, true, onRetry), scan, wanted);
    }

    @Override
    public SplitEnumerator<KeyRangeSplit, EnumeratorState> createEnumerator(
            SplitEnumeratorContext<KeyRangeSplit> context) {
        return restoreEnumerator(context, EnumeratorState.NOT_PLANNED);
    }

    @Override
    public SplitEnumerator<KeyRangeSplit, EnumeratorState> restoreEnumerator(
            SplitEnumeratorContext<KeyRangeSplit> context, EnumeratorState state) {
        int splits = scan.splits() > 0
                ? scan.splits()
                : Math.min(LindormEnumerator.SPLITS_PER_READER * context.currentParallelism(), MOST_SPLITS);
        return new LindormEnumerator(
                context, () -> SplitPlanner.plan(server, scan, wanted, splits), scan.rate(), System::nanoTime, state);
    }

    @Override
    public SimpleVersionedSerializer<KeyRangeSplit> getSplitSerializer() {
        return new KeyRangeSplitSerializer();
    }

    @Override
    public SimpleVersionedSerializer<EnumeratorState> getEnumeratorCheckpointSerializer() {
        return new EnumeratorState.Serializer();
    }
}
