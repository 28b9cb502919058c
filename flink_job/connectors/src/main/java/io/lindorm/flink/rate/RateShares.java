package io.lindorm.flink.rate;

import java.io.IOException;

/**
 * The place where the writers of a job divide the rate, {@link RateShare} in a job, as one of them sees it.
 */
public interface RateShares {

    /** Which writer this one is, from 0. */
    int writer();

    /** How many there are. */
    int writers();

    /**
     * Asks for a share.
     *
     * @param request {@link RateShare#request}
     * @return the share, in write units per second
     * @throws IOException where nobody answers
     */
    double ask(double[] request) throws IOException;
}
