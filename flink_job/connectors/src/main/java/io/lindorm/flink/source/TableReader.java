package io.lindorm.flink.source;

import java.io.IOException;
import java.util.List;
import java.util.function.IntSupplier;
import org.apache.flink.table.data.GenericRowData;

/** What a {@link PageReader} reads: a table, in pages of a key range. Used by one thread, but for {@link #interrupt}. */
interface TableReader extends KeyLookups, AutoCloseable {

    /** A read of a page ran into its time limit. */
    final class TimedOut extends Exception {
        private static final long serialVersionUID = 1L;

        TimedOut(Throwable cause) {
            super(cause);
        }
    }

    /**
     * The next rows of what is left of a range, in the order of the key, tried again where that can help.
     *
     * @param limit the most rows to return; asked anew for each attempt
     * @param oneTimeoutEnough whether to give up at the first timeout
     * @return the rows, none at the range's end; null if {@link #interrupt} came
     */
    List<GenericRowData> page(KeyRangeSplit range, IntSupplier limit, boolean oneTimeoutEnough)
            throws IOException, TimedOut;

    /** Waits, unless interrupted; whether the whole time passed. */
    boolean waitFor(long millis) throws IOException;

    /** Ends a wait or a pause between attempts early, now or when it comes. */
    void interrupt();

    /** Whether {@link #interrupt} has come since the last wait that it ended, or call of this. */
    boolean takeInterrupt();

    @Override
    void close();
}
