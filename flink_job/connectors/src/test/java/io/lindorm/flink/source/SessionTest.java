package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a session does when a password is changed under it. */
@Timeout(60)
class SessionTest {

    @TempDir
    Path folder;

    private Path file;
    private Scan scan;

    @BeforeEach
    void secret() throws IOException {
        file = Files.writeString(folder.resolve("password"), "old\n");
        scan = Scans.of("password", null, "password-file", file.toString(), "scan.retries", "0");
    }

    /** Logs in only with the password that it has at the time. */
    private static class Guarded implements Server {
        private static final long serialVersionUID = 1L;
        private volatile String password = "old";
        private int code = 1045;
        private String state = "28000";
        private final AtomicInteger refused = new AtomicInteger();

        @Override
        public Connection connect(Scan scan) throws SQLException, IOException {
            if (!scan.password().reveal().equals(password)) {
                refused.incrementAndGet();
                throw new SQLException("Access denied for user 'u'@'10.0.0.7' (using password: YES)", state, code);
            }
            return H2Server.open("session");
        }

        @Override
        public TableDescription describe(Connection connection, String table) {
            throw new UnsupportedOperationException();
        }
    }

    private static void dropConnection(Session session) {
        // Retries are 0, so this is the end of it, and of the connection.
        assertThrows(
                IOException.class,
                () -> session.run(connection -> {
                    throw new SQLException("lost", "08S01");
                }));
    }

    @ParameterizedTest
    @CsvSource({"1045, 28000", "1698, 28000", "1862, HY000", "3118, HY000", "9003, HY000"})
    void aLoginThatHasWorkedIsTriedAgainWithTheFileReadAnewUntilItWorks(int code, String state) throws Exception {
        Guarded server = new Guarded();
        server.code = code;
        server.state = state;
        try (Session session = new Session(server, scan, false, Duration.ofMinutes(1), () -> {
            // The Secret arrives in the file some attempts after the password was changed.
            if (server.refused.get() == 2) {
                write("new\n");
            }
        })) {
            assertEquals(1, session.<Integer>run(connection -> 1));
            server.password = "new";
            dropConnection(session);
            assertEquals(2, session.<Integer>run(connection -> 2));
            assertEquals(2, server.refused.get());
            // And the next time again.
            server.refused.set(0);
            server.password = "third";
            dropConnection(session);
            write("third\n");
            assertEquals(3, session.<Integer>run(connection -> 3));
        }
    }

    private void write(String password) {
        try {
            Files.writeString(file, password);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void theFirstLoginOfAScanFailsAtOnce() {
        Guarded server = new Guarded();
        server.password = "other";
        try (Session session = new Session(server, scan, false, Duration.ofMinutes(1), () -> {})) {
            UserError said = assertThrows(UserError.class, () -> session.run(connection -> 1));
            assertTrue(
                    said.getMessage().contains("as user 'u': Access denied")
                            && said.getMessage().endsWith("(error 1045)"),
                    said.getMessage());
        }
        assertEquals(1, server.refused.get());
    }

    @Test
    void aReaderWhoseScanHasLoggedInBeforeWaitsAtItsFirstLoginToo() throws Exception {
        Guarded server = new Guarded();
        server.password = "new";
        try (Session session = new Session(server, scan, true, Duration.ofMinutes(1), () -> write("new\n"))) {
            assertEquals(1, session.<Integer>run(connection -> 1));
        }
        assertEquals(1, server.refused.get());
    }

    @Test
    void aPasswordThatStaysWrongEndsTheScanAfterAWhileAndSaysForHowLong() {
        Guarded server = new Guarded();
        server.password = "other";
        try (Session session = new Session(server, scan, true, Duration.ofMillis(1), () -> {})) {
            UserError said = assertThrows(UserError.class, () -> session.run(connection -> 1));
            assertTrue(said.getMessage().contains("(error 1045), and has for 0 minutes"), said.getMessage());
        }
        assertTrue(server.refused.get() >= 2, "it was tried again");
    }

    @Test
    void otherRefusalsAreNotWaitedFor() {
        Server server = new Guarded() {
            private static final long serialVersionUID = 1L;

            @Override
            public Connection connect(Scan scan) throws SQLException {
                throw new SQLException("Access denied for user 'u' to database 'd'", "42000", 1044);
            }
        };
        try (Session session = new Session(server, scan, true, Duration.ofMinutes(1), () -> {})) {
            assertThrows(UserError.class, () -> session.run(connection -> 1));
        }
    }
}
