package io.lindorm.flink;

import org.apache.flink.runtime.execution.SuppressRestartsException;

/**
 * An error that no retry can mend and that the user must hear of, in words meant for the user.
 *
 * <p>The message always begins with {@code LindormImport: }, which is how the controller finds it in
 * the stack traces that Flink's REST API gives out.
 */
public final class UserError extends RuntimeException {

    /** What every message begins with. */
    public static final String PREFIX = "LindormImport: ";

    /**
     * @param sentence what is wrong and with what thing, and what to do where that is known
     * @param cause the foreign error, or null
     */
    public UserError(String sentence, Throwable cause) {
        super(PREFIX + sentence, cause);
    }

    /** As {@link #UserError(String, Throwable)}, without a foreign error. */
    public UserError(String sentence) {
        this(sentence, null);
    }

    /** This error as Flink must see it to end the job at once instead of restarting it. */
    public SuppressRestartsException endingTheJob() {
        return new SuppressRestartsException(this);
    }
}
