package io.lindorm.flink;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.client.JobStatusMessage;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.ExceptionUtils;

/**
 * Flink SQL for tests in other languages, in one small cluster: each line of standard input is a job, {@code {"settings":
 * {}, "statements": [], "seconds": n}}, whose last statement runs, and each line of standard output says what became of
 * it, {@code {"rows": [], "error": null}}: the rows that a SELECT gave up to its end or its error, and the error with its
 * causes. A job that has not ended after so many seconds is cancelled, and its error is "hangs".
 */
public final class SqlHarness {

    static final String HANGS = "hangs";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int SLOTS = 4;

    private final MiniCluster cluster;
    private final Configuration remote = new Configuration();

    private SqlHarness(MiniCluster cluster) throws Exception {
        this.cluster = cluster;
        URI address = cluster.getRestAddress().get();
        remote.set(DeploymentOptions.TARGET, "remote");
        remote.set(RestOptions.ADDRESS, address.getHost());
        remote.set(RestOptions.PORT, address.getPort());
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err); // where logs are
        Configuration flink = new Configuration();
        flink.set(RestOptions.BIND_PORT, "0");
        flink.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(32));
        MiniClusterConfiguration small = new MiniClusterConfiguration.Builder()
                .setConfiguration(flink)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(SLOTS)
                .build();
        try (MiniCluster cluster = new MiniCluster(small)) {
            cluster.start();
            SqlHarness harness = new SqlHarness(cluster);
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                answers.println(harness.run(JSON.readTree(line)));
            }
        }
    }

    private ObjectNode run(JsonNode job) throws Exception {
        Configuration settings = new Configuration(remote);
        job.get("settings")
                .fields()
                .forEachRemaining(
                        one -> settings.setString(one.getKey(), one.getValue().textValue()));
        ObjectNode answer = JSON.createObjectNode().putNull("error");
        var rows = answer.putArray("rows");
        Watch watch = new Watch(job.get("seconds").asInt());
        try {
            TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.newInstance()
                    .inStreamingMode()
                    .withConfiguration(settings)
                    .build());
            TableResult last = null;
            for (JsonNode statement : job.get("statements")) {
                last = tables.executeSql(statement.textValue());
            }
            try (CloseableIterator<Row> found = last.collect()) {
                while (found.hasNext()) {
                    var row = rows.addArray();
                    Row next = found.next();
                    for (int i = 0; i < next.getArity(); i++) {
                        row.add(String.valueOf(next.getField(i)));
                    }
                }
            }
        } catch (Exception e) {
            answer.put("error", ExceptionUtils.stringifyException(e));
        }
        if (watch.end()) {
            answer.put("error", HANGS);
        }
        return answer;
    }

    /** Cancels all jobs after a time, unless it is ended before. */
    private final class Watch {
        private final Thread thread;
        private boolean over;
        private boolean cancelled;

        Watch(int seconds) {
            thread = new Thread(() -> watch(seconds));
            thread.start();
        }

        private synchronized void watch(int seconds) {
            long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
            try {
                for (long left = end - System.nanoTime(); !over && left > 0; left = end - System.nanoTime()) {
                    TimeUnit.NANOSECONDS.timedWait(this, left);
                }
                if (!over) {
                    cancelled = true;
                    for (JobStatusMessage job : cluster.listJobs().get(1, TimeUnit.MINUTES)) {
                        if (!job.getJobState().isGloballyTerminalState()) {
                            cluster.cancelJob(job.getJobId()).get(1, TimeUnit.MINUTES);
                        }
                    }
                }
            } catch (InterruptedException | ExecutionException | TimeoutException e) {
                throw new IllegalStateException(e);
            }
        }

        /** Whether it had to cancel. */
        boolean end() throws InterruptedException {
            synchronized (this) {
                over = true;
                notifyAll();
            }
            thread.join();
            return cancelled;
        }
    }
}
