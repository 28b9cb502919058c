package io.lindorm.flink.dynamodb;

/**
 * What DynamoDB takes in one place, a partition or the table, as learned from what it refuses.
 *
 * <p>DynamoDB counts capacity in buckets that fill at a rate, and refuses where a bucket is empty. So between two
 * refusals, when it was empty both times, what was accepted is what came in: units accepted by time passed is the
 * rate itself, not a guess that must be halved. After a refusal the limit starts a little below what was measured,
 * so that the bucket recovers, and grows: slowly while it is near, where going over costs a refusal, and then with
 * the cube of time, so that capacity that comes back is found within seconds.
 *
 * <p>Pure: time is an argument, in nanoseconds of {@link System#nanoTime}.
 */
final class LearnedRate {

    /** Refusals closer together than this are one event: requests that were on their way together. */
    private static final double MIN_WINDOW_SECONDS = 0.3;

    /** Over longer times the bucket may have been full meanwhile, and what was accepted says too little. */
    private static final double MAX_WINDOW_SECONDS = 4;

    /** What is added after a second, and with the cube of time: else nothing would come of nearly nothing. */
    private static final double LEAST_GROWTH = 0.5;

    private static final double NANOS = 1e9;

    private final double firstGuess;
    private double estimate = Double.POSITIVE_INFINITY;
    private boolean isMeasured;
    private boolean wasRefused;
    private long measuredAt;
    private long refusedAt;
    private double acceptedSince;

    /** What was accepted lately, fading within about a second. */
    private double recent;

    private long recentAt;

    /**
     * @param firstGuess units per second, where something is refused and little is known
     */
    LearnedRate(double firstGuess) {
        this.firstGuess = firstGuess;
    }

    void accepted(double units, long now) {
        acceptedSince += units;
        recent = recent(now) + units;
        recentAt = now;
    }

    private double recent(long now) {
        return recent == 0 ? 0 : recent * Math.exp(-Math.max(0, now - recentAt) / NANOS);
    }

    /** Units per second that were accepted within about the last second. */
    double recentRate(long now) {
        return recent(now);
    }

    /**
     * Takes note of a refusal.
     *
     * @param least units per second that the limit is certainly not below
     * @return whether the limit is measured, and not only guessed
     */
    boolean refused(double least, long now) {
        double seconds = (now - measuredAt) / NANOS;
        if (!wasRefused || seconds >= MIN_WINDOW_SECONDS) {
            isMeasured = wasRefused && seconds <= MAX_WINDOW_SECONDS;
            // Where nothing is measured: a bucket that was full gave up to a second's worth on top of its rate.
            estimate = Math.max(least, isMeasured ? acceptedSince / seconds : Math.max(firstGuess, recent(now) / 2));
            measuredAt = now;
            acceptedSince = 0;
        }
        wasRefused = true;
        refusedAt = now;
        return isMeasured;
    }

    /** Whether anything has ever been refused here. */
    boolean isKnown() {
        return wasRefused;
    }

    /** Whether something was refused within the last seconds, so that the estimate is not far off. */
    boolean isNear(long now) {
        return wasRefused && rate(now) < 2 * estimate;
    }

    /** The last measurement, in units per second. */
    double estimate() {
        return estimate;
    }

    /** What to send at most, in units per second; infinite before the first refusal. */
    double rate(long now) {
        if (!wasRefused) {
            return Double.POSITIVE_INFINITY;
        }
        double seconds = Math.max(0, now - (isMeasured ? refusedAt : measuredAt)) / NANOS;
        // A guess doubles each second: the next refusal, which makes it a measurement, should be soon.
        return isMeasured
                ? estimate * growth(now - refusedAt) + LEAST_GROWTH * seconds * seconds * seconds
                : estimate * Math.pow(2, seconds);
    }

    /** How much a limit has grown so many nanoseconds after a refusal: 0.985, 1.01 after 1 s, 3.5 after 5 s. */
    static double growth(long nanos) {
        double seconds = Math.max(0, nanos) / NANOS;
        return 0.985 + 0.005 * seconds + 0.02 * seconds * seconds * seconds;
    }
}
