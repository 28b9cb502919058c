package io.lindorm.flink.source;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/** The repository's stand-in for Lindorm (local/lindorm) as a process: a strict server of the MySQL protocol. */
final class StandIn implements AutoCloseable {

    static final String USER = "reader";
    static final String PASSWORD = "secret";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;
    private final Path tls;
    private Process process;
    private int port;
    private int control;
    private final HttpClient http = HttpClient.newHttpClient();

    /** Starts it, with its tables in a folder. */
    StandIn(Path folder) throws Exception {
        this(folder, null);
    }

    /**
     * Starts it.
     *
     * @param folder where its tables are
     * @param tls where the certificates are, of localhost and of its authority (ca.crt), or will be; null for no TLS
     */
    StandIn(Path folder, Path tls) throws Exception {
        this.folder = folder;
        this.tls = tls;
        start();
    }

    /** Kills the process and starts another, on the same port and with the same tables. */
    void restart() throws Exception {
        process.destroyForcibly().waitFor();
        start();
    }

    private void start() throws Exception {
        Path root = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(root.resolve("local/lindorm"))) {
            root = root.getParent();
        }
        Path ready = folder.resolve("ready.json");
        Files.deleteIfExists(ready);
        List<String> command = new ArrayList<>(List.of(
                python(root),
                "-m",
                "local.lindorm",
                "--data",
                folder.toString(),
                "--user",
                USER,
                "--password",
                PASSWORD,
                "--ready-file",
                ready.toString(),
                "--port",
                Integer.toString(port)));
        if (tls != null) {
            command.addAll(List.of("--tls", tls.toString()));
        }
        process = new ProcessBuilder(command)
                .directory(root.toFile())
                .redirectErrorStream(true)
                .redirectOutput(
                        ProcessBuilder.Redirect.appendTo(folder.resolve("log").toFile()))
                .start();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!Files.exists(ready)) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                close();
                throw new IllegalStateException(
                        "the stand-in does not start: " + Files.readString(folder.resolve("log")));
            }
            process.waitFor(50, TimeUnit.MILLISECONDS);
        }
        JsonNode ports = JSON.readTree(Files.readString(ready));
        port = ports.get("port").asInt();
        control = ports.get("control").asInt();
    }

    /** The development environment's Python; built where it is missing. */
    private static String python(Path root) throws Exception {
        Process asked = new ProcessBuilder("python3", "-m", "local.bootstrap", "--only", "dev-venv", "--print-env")
                .directory(root.toFile())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String said = new String(asked.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return said.lines()
                .filter(line -> line.startsWith("PY="))
                .findFirst()
                .orElseThrow()
                .substring("PY=".length());
    }

    String url() {
        return url("127.0.0.1");
    }

    /** The same by another name of this machine. */
    String url(String host) {
        return "jdbc:lindorm://" + host + ":" + port + "/default";
    }

    /** Runs statements in a session in UTC. */
    void execute(String... statements) throws SQLException {
        try (Connection connection = DriverManager.getConnection(
                        "jdbc:mysql://127.0.0.1:" + port
                                + "/default?connectionTimeZone=UTC&sessionVariables=time_zone='%2B00:00'",
                        USER,
                        PASSWORD);
                Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    /** Posts JSON to the control port, for what local/lindorm/control.py says. */
    JsonNode post(String path, String json) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + control + path))
                .POST(HttpRequest.BodyPublishers.ofString(json))
                .build();
        return JSON.readTree(
                http.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }

    JsonNode get(String path) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + control + path))
                .build();
        return JSON.readTree(
                http.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        process.waitFor();
    }
}
