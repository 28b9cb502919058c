package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a session does where an answer is none, or does not end. tests/flink_job/test_mysql_network.py has real ones. */
@Timeout(120)
class BrokenAnswersTest {

    /** Counts its connections; each knows only how to be aborted. */
    private static final class Counting implements Server {
        private static final long serialVersionUID = 1L;
        private final transient CountDownLatch aborted = new CountDownLatch(1);
        private int connections;

        @Override
        public Connection connect(Scan scan) {
            connections++;
            return (Connection) Proxy.newProxyInstance(
                    Counting.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                        assertEquals("abort", method.getName());
                        aborted.countDown();
                        return null;
                    });
        }

        @Override
        public TableDescription describe(Connection connection, String table) {
            throw new UnsupportedOperationException();
        }
    }

    private final Counting server = new Counting();

    private Session session(String... options) {
        return new Session(server, Scans.of(options), false, Session.LOGIN_PATIENCE, () -> {});
    }

    @ParameterizedTest
    @ValueSource(classes = {ArrayIndexOutOfBoundsException.class, ClassCastException.class, OutOfMemoryError.class})
    void whatADriversCodeRunsIntoIsTriedAgainOnANewConnection(Class<? extends Throwable> kind) throws Exception {
        try (Session session = session()) {
            assertEquals(2, session.<Integer>run(connection -> {
                if (server.connections == 1) {
                    fail(kind);
                }
                return server.connections;
            }));
        }
    }

    private static void fail(Class<? extends Throwable> kind) {
        Throwable failure;
        try {
            failure = kind.getConstructor(String.class).newInstance("as the test wants it");
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
        if (failure instanceof Error error) {
            throw error;
        }
        throw (RuntimeException) failure;
    }

    @Test
    void whatADriversCodeRunsIntoEachTimeIsToldInASentence() {
        try (Session session = session("scan.retries", "1")) {
            IOException told = assertThrows(
                    IOException.class,
                    () -> session.run(connection -> {
                        throw new ArrayIndexOutOfBoundsException(7);
                    }));
            assertEquals(2, server.connections);
            assertTrue(
                    told.getMessage().startsWith(UserError.PREFIX + "reading table `t` at")
                            && told.getMessage().contains("its answer cannot be read (java.lang.ArrayIndexOutOf"),
                    told.getMessage());
        }
    }

    @Test
    void whatEndsTheImportIsAskedForTwiceOnTwoConnections() {
        try (Session session = session("scan.retries", "0")) {
            assertThrows(
                    UserError.class,
                    () -> session.run(connection -> {
                        throw new UserError("a row has NULL in the key");
                    }));
            assertEquals(2, server.connections);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1049, 1146, 8005, 9001})
    void whatAServerRefusesOnlyOnceDoesNotEndTheImport(int code) throws Exception {
        try (Session session = session("scan.retries", "0")) {
            assertEquals(2, session.<Integer>run(connection -> {
                if (server.connections == 1) {
                    throw new SQLException("Table 'd.t' doesn't exist", "42S02", code);
                }
                return server.connections;
            }));
        }
    }

    @Test
    void anAnswerThatDoesNotEndLosesItsConnectionAndIsAskedForAgain() throws Exception {
        try (Session session = session("scan.timeout", "20 ms")) {
            assertEquals(2, session.<Integer>run(connection -> {
                if (server.connections == 1) {
                    awaitAbort();
                    throw new SQLException("Communications link failure", "08S01");
                }
                return server.connections;
            }));
        }
    }

    private void awaitAbort() {
        try {
            server.aborted.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
