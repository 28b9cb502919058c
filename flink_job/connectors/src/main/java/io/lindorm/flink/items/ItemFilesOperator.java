package io.lindorm.flink.items;

import io.lindorm.flink.files.ItemFile;
import io.lindorm.flink.files.ItemLines;
import java.io.IOException;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * The operator {@code files}: writes items into files and hands each, finished, to {@code outcome}, which publishes it.
 *
 * <p>A file is finished before the barrier of every checkpoint. So of a checkpoint this operator holds nothing: what
 * came before the barrier is in files that {@code outcome} has, and what comes after it is read again after a failure.
 */
final class ItemFilesOperator extends AbstractStreamOperator<Outcome>
        implements OneInputStreamOperator<ItemLines, Outcome>, BoundedOneInput {

    private static final long serialVersionUID = 1L;

    private final String folder;
    private transient ItemFile file;

    /**
     * @param folder where the files are
     */
    ItemFilesOperator(String folder) {
        this.folder = folder;
    }

    @Override
    public void processElement(StreamRecord<ItemLines> element) throws Exception {
        ItemLines lines = element.getValue();
        if (file != null && !file.hasRoomFor(lines)) {
            finishFile();
        }
        if (file == null) {
            file = ItemFile.create(new Path(folder));
        }
        file.write(lines);
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
        finishFile();
    }

    @Override
    public void endInput() throws Exception {
        finishFile();
    }

    private void finishFile() throws IOException {
        if (file != null) {
            output.collect(new StreamRecord<>(Outcome.file(file.finish())));
            file = null;
        }
    }

    @Override
    public void close() throws Exception {
        if (file != null) {
            file.close();
        }
        super.close();
    }
}
