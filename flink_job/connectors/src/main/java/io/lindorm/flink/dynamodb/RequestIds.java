package io.lindorm.flink.dynamodb;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The ids of the answers that came, by which one that comes a second time is known: it answers no request, and what
 * comes after it on its connection answers the request before. DynamoDB gives each answer an id of its own
 * ({@code x-amzn-RequestId}).
 */
final class RequestIds {

    private static final int MAX_IDS = 4_096;

    /** A server that has repeated its only id so often gives the same to all. */
    private static final int REPEATS_OF_NO_ID = 3;

    private final Map<String, Boolean> seen = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
            return size() > MAX_IDS;
        }
    };
    private int repeats;

    /** Takes note of an answer's id, and returns whether the answer is a new one. */
    synchronized boolean isNew(String id) {
        if (seen.put(id, true) == null) {
            return true;
        }
        return seen.size() == 1 && repeats++ >= REPEATS_OF_NO_ID;
    }
}
