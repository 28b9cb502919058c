package io.lindorm.flink.items;

import org.apache.flink.api.common.TaskInfo;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The number that the writer knows and the operator {@code items} shows: how many items DynamoDB has
 * acknowledged. Both run in one task, chained, but Flink gives neither a way to the other, so they meet
 * here, under the sink's id and the task's subtask and attempt.
 */
final class AcknowledgedItems {

    private static final ConcurrentMap<String, AtomicLong> BY_TASK = new ConcurrentHashMap<>();

    private AcknowledgedItems() {}

    /** The number of one task; whoever asks first makes it. */
    static AtomicLong of(String sinkId, TaskInfo task) {
        return BY_TASK.computeIfAbsent(key(sinkId, task), key -> new AtomicLong());
    }

    static void forget(String sinkId, TaskInfo task) {
        BY_TASK.remove(key(sinkId, task));
    }

    private static String key(String sinkId, TaskInfo task) {
        return sinkId + "/" + task.getIndexOfThisSubtask() + "/" + task.getAttemptNumber();
    }
}
