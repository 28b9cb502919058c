package io.lindorm.flink.items;

import io.lindorm.flink.files.ItemLines;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.OutputTag;

/**
 * The operator {@code items} of a job that writes files: makes lines of the rows' items, and hands on about as many at a
 * time as one of Flink's network buffers holds. Rejects and counts go out at the side.
 */
final class ItemLinesOperator extends RowsOperator<ItemLines> {

    /** Where rejects and counts go out. */
    static final OutputTag<Outcome> OUTCOMES = new OutputTag<>("outcomes", TypeInformation.of(Outcome.class));

    private static final long serialVersionUID = 1L;
    private static final int LINES_BYTES = 32 * 1024;
    private static final byte[] BEFORE = "{\"Item\":".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] AFTER = "}\n".getBytes(StandardCharsets.US_ASCII);

    private transient ItemJson lines;
    private transient int items;
    private transient long bytes;

    ItemLinesOperator(JobConfig config, RowType rowType, boolean unreadable) {
        super(config, rowType, unreadable);
    }

    @Override
    public void open() throws Exception {
        super.open();
        lines = new ItemJson();
        getMetricGroup().gauge("itemsWritten", counts::itemsEmitted);
        getMetricGroup().gauge("bytes", () -> bytes);
    }

    @Override
    void accept() {
        int before = lines.length();
        lines.raw(BEFORE);
        lines.raw(mapper.encoded());
        lines.raw(AFTER);
        bytes += lines.length() - before;
        items++;
        if (lines.length() >= LINES_BYTES) {
            handOn();
        }
    }

    private void handOn() {
        if (items > 0) {
            output.collect(new StreamRecord<>(new ItemLines(items, lines.toBytes())));
            items = 0;
            lines.clear();
        }
    }

    @Override
    void report(Outcome outcome) {
        output.collect(OUTCOMES, new StreamRecord<>(outcome));
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) {
        // The rows before the barrier are read; so their lines go before it.
        handOn();
    }

    @Override
    void settle() {
        handOn();
    }

    @Override
    int stateVersion() {
        return 1;
    }

    @Override
    void snapshot(DataOutput out) throws IOException {
        out.writeLong(bytes);
    }

    @Override
    void restore(DataInput in) throws IOException {
        bytes += in.readLong();
    }
}
