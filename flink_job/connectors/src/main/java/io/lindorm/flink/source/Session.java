package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLDataException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One session with the server that outlives its connections: what may pass is tried again, with a pause
 * that doubles and jitters, on a new connection; what cannot pass is a {@link UserError} at once.
 *
 * <p>Used by one thread; {@link #interrupt} may be called by another.
 */
final class Session implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Session.class);

    private static final long FIRST_PAUSE_MS = 200;
    private static final long LONGEST_PAUSE_MS = 20_000;

    /**
     * Errors that the same query will meet again: access denied (1044, 1142), unknown
     * database (1049), bad column (1054), syntax (1064), unknown table (1146, 8005), no support (1235, 9001).
     * Numbers: Lindorm's "Common error codes" and MySQL's error reference.
     */
    private static final Set<Integer> LASTING = Set.of(1044, 1049, 1054, 1064, 1142, 1146, 1235, 8005, 9001);

    /**
     * Errors of a login: access denied (1045, 1698), the password has expired (1820, 1862), the account is locked (3118),
     * the way to log in is not known (9003).
     */
    private static final Set<Integer> LOGIN_REFUSED = Set.of(1045, 1698, 1820, 1862, 3118, 9003);

    /**
     * For so long a login is tried again that has worked before: when a password is changed, a renewed Secret is in the
     * mounted file some time later (the kubelet's sync period and its cache's delay, about two minutes with their
     * defaults: https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-files-from-a-pod).
     */
    static final Duration LOGIN_PATIENCE = Duration.ofMinutes(6);

    /** The words of Connector/J and of MariaDB's driver, which have no number for it. */
    private static final List<String> NO_TLS =
            List.of("SSL Connection required, but not provided by server", JdbcDriver.MARIADB_NO_TLS);

    /** The words of MariaDB's driver, which has no class for it either. */
    private static final List<String> NOT_TRUSTED =
            List.of("SSL hostname verification failed", "Self signed certificates");

    /**
     * The words of both for a password that is not given in the way that the server asks for it (JdbcDriver); Connector/J
     * 8.3 has lost its own and shows their name.
     */
    private static final List<String> PASSWORD_NOT_SHOWN = List.of(
            "BadAuthenticationPlugin",
            "Unable to load authentication plugin",
            "Client restrict authentication plugin",
            "Client does not support authentication protocol requested by server");

    /** A statement ran into its time limit: Lindorm's own, and MySQL's two for an interrupted query. */
    private static final Set<Integer> TIMED_OUT = Set.of(3024, 1317, 1205);

    /** What a session does with a connection. It may be called several times. */
    interface Work<T> {
        T on(Connection connection) throws SQLException;
    }

    /**
     * A connection is not kept for longer than this: Lindorm's front ends are behind a load balancer, and Alibaba's
     * template for a connection pool (Druid's phyTimeoutMillis) ends connections at this age.
     */
    private static final long LONGEST_CONNECTION_NANOS = TimeUnit.MINUTES.toNanos(30);

    /**
     * An answer may take this many times as long as the server may take to find it: a driver's own limit begins anew with
     * each byte that comes.
     */
    private static final int LONGEST_ANSWER_TIMEOUTS = 5;

    private final Server server;
    private final Scan scan;
    private final Runnable onRetry;
    private Connection connection;
    private long connectedAt;
    private boolean interrupted;

    /** Whether a login has worked, with what was the password then. */
    private boolean hasLoggedIn;

    /** Since when logins are refused; null while they are not. */
    private Long refusedSince;

    private final Duration loginPatience;

    /**
     * @param hasLoggedIn whether somebody else has logged in with the same credentials
     * @param loginPatience for how long a login that has worked before is tried again when it is refused
     * @param onRetry is told of each failed attempt before the next
     */
    Session(Server server, Scan scan, boolean hasLoggedIn, Duration loginPatience, Runnable onRetry) {
        this.server = server;
        this.scan = scan;
        this.hasLoggedIn = hasLoggedIn;
        this.loginPatience = loginPatience;
        this.onRetry = onRetry;
    }

    /** As {@link #run}, but the first timeout is not tried again. */
    <T> T runUntilTimeout(Work<T> work) throws IOException, TableReader.TimedOut {
        return attempt(work, true);
    }

    /**
     * Does some work, again and again until it succeeds.
     *
     * @return the work's result, or null if {@link #interrupt} came during a pause
     * @throws IOException after the last of the retries
     */
    <T> T run(Work<T> work) throws IOException {
        try {
            return attempt(work, false);
        } catch (TableReader.TimedOut e) {
            throw new IllegalStateException(e);
        }
    }

    /** Does some work once, on a new connection if there is none. */
    private <T> T once(Work<T> work) throws SQLException, IOException {
        try {
            if (connection == null) {
                connection = server.connect(scan);
                connectedAt = System.nanoTime();
                hasLoggedIn = true;
                refusedSince = null;
            }
            Connection open = connection;
            CompletableFuture<Void> answered = new CompletableFuture<Void>()
                    .orTimeout(scan.timeout().toMillis() * LONGEST_ANSWER_TIMEOUTS, TimeUnit.MILLISECONDS);
            answered.exceptionally(tooLong -> {
                LOG.warn(
                        "An answer of {} for table {} has not ended in time: its connection ends",
                        scan.url(),
                        scan.table());
                abort(open);
                return null;
            });
            try {
                return work.on(open);
            } finally {
                answered.complete(null);
            }
        } catch (SQLException e) {
            UserError lasting = lasting(e);
            if (lasting != null) {
                throw lasting;
            }
            throw e;
        } catch (UserError e) {
            throw e;
        } catch (RuntimeException | OutOfMemoryError e) {
            // Whatever a driver's code runs into on bytes that no server sends; an array may be as long as they say.
            throw new SQLException("its answer cannot be read (" + e + ")", "08S01", e);
        }
    }

    /** What an error is for the user if it stays however often it is tried; null for what may pass. */
    private UserError lasting(SQLException e) {
        String untrusted = tlsTrouble(e);
        if (untrusted != null) {
            return new UserError("Lindorm at " + scan.url() + " is not read from, because " + untrusted, e);
        }
        return isLasting(e) ? refusal(e, "") : null;
    }

    private UserError refusal(SQLException e, String since) {
        return new UserError(
                "Lindorm refuses to read table `" + scan.table() + "` at " + scan.url() + " as user '" + scan.username()
                        + "': " + e.getMessage() + " (error " + e.getErrorCode() + ")" + since,
                e);
    }

    private <T> T attempt(Work<T> work, boolean untilTimeout) throws IOException, TableReader.TimedOut {
        if (connection != null && System.nanoTime() - connectedAt > LONGEST_CONNECTION_NANOS) {
            drop();
        }
        int loginAttempts = 3;
        boolean isAskedAgain = false;
        for (int attempt = 0; ; attempt++) {
            try {
                return once(work);
            } catch (UserError e) {
                drop();
                if (isAskedAgain) {
                    throw e;
                }
                // One answer may be wrong, by whatever is between, or at a bad moment of the server's.
                isAskedAgain = true;
                LOG.warn("Before it ends the import, this is asked for again on a new connection: {}", e.getMessage());
                onRetry.run();
                if (!sleep(pause(0))) {
                    return null;
                }
            } catch (SQLException e) {
                drop();
                boolean refused = isLoginRefused(e);
                if (refused && !mayLogInLater()) {
                    throw refusal(
                            e,
                            refusedSince == null
                                    ? ""
                                    : ", and has for " + loginPatience.toMinutes()
                                            + " minutes, in which the password was read anew again and again");
                }
                if (refused) {
                    LOG.warn(
                            "The login of user {} at {} is refused, and is tried again with the password as it is then: {}",
                            scan.username(),
                            scan.url(),
                            e.toString());
                    onRetry.run();
                    attempt--;
                    if (!sleep(pause(loginAttempts++))) {
                        return null;
                    }
                    continue;
                }
                if (untilTimeout && isTimeout(e)) {
                    LOG.info("A read of {} ran into its time limit: {}", scan.table(), e.toString());
                    onRetry.run();
                    throw new TableReader.TimedOut(e);
                }
                if (attempt >= scan.retries()) {
                    throw new IOException(
                            UserError.PREFIX + "reading table `" + scan.table() + "` at " + scan.url() + " failed "
                                    + (attempt + 1) + " times; the last error: " + e.getMessage(),
                            e);
                }
                long pause = pause(attempt);
                LOG.warn("Reading {} failed, attempt {} in {} ms: {}", scan.table(), attempt + 2, pause, e.toString());
                onRetry.run();
                if (!sleep(pause)) {
                    return null;
                }
            }
        }
    }

    static PreparedStatement prepare(Connection connection, ScanQuery query) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(query.sql());
        int at = 1;
        for (Object parameter : query.parameters()) {
            statement.setObject(at++, parameter);
        }
        return statement;
    }

    /** Ends a pause between attempts early, now or when it comes. */
    synchronized void interrupt() {
        interrupted = true;
        notifyAll();
    }

    private synchronized boolean sleep(long millis) throws IOException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        try {
            while (!interrupted) {
                long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (left <= 0) {
                    return true;
                }
                wait(left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        interrupted = false;
        return false;
    }

    /** Whether {@link #interrupt} has come since the last pause that it ended, or call of this. */
    synchronized boolean takeInterrupt() {
        boolean was = interrupted;
        interrupted = false;
        return was;
    }

    /** Waits, unless interrupted; whether the whole time passed. */
    boolean waitFor(long millis) throws IOException {
        return millis <= 0 || sleep(millis);
    }

    private static long pause(int attempt) {
        long longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << Math.min(attempt, 20));
        return longest / 2 + ThreadLocalRandom.current().nextLong(longest / 2 + 1);
    }

    /** Whether a refused login is worth another try; the first one of a scan is not. */
    private boolean mayLogInLater() {
        if (!hasLoggedIn) {
            return false;
        }
        if (refusedSince == null) {
            refusedSince = System.nanoTime();
        }
        return System.nanoTime() - refusedSince < loginPatience.toNanos();
    }

    private static boolean isLoginRefused(SQLException e) {
        return LOGIN_REFUSED.contains(e.getErrorCode()) || "28000".equals(e.getSQLState());
    }

    private static boolean isLasting(SQLException e) {
        // A driver that cannot read a column's values will not the next time.
        return e instanceof SQLDataException
                || LASTING.contains(e.getErrorCode())
                || (e.getSQLState() != null && e.getSQLState().startsWith("22"));
    }

    /** What stands against a trusted connection however often it is tried, in a sentence; null for nothing. */
    private static String tlsTrouble(SQLException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            String said = String.valueOf(cause.getMessage());
            if (cause instanceof CertificateException
                    || cause instanceof CertPathValidatorException
                    || NOT_TRUSTED.stream().anyMatch(said::contains)) {
                return "its certificate is not trusted ("
                        + said.lines().findFirst().orElse("") + "): 'tls.ca-file' must hold the certificate"
                        + " of its CA, and with VERIFY_IDENTITY it must name the host of 'url'";
            }
            if (NO_TLS.stream().anyMatch(said::contains)) {
                return "it offers no TLS: switch it on in Lindorm's console, or change 'tls.mode'";
            }
            if (PASSWORD_NOT_SHOWN.stream().anyMatch(said::contains)) {
                return "it asks for the password in a way that shows it to whoever is at the other end, and nobody has"
                        + " verified who that is; it was not sent ("
                        + said.lines().findFirst().orElse("") + "). Set"
                        + " 'tls.mode' to VERIFY_CA with 'tls.ca-file', or take a user of mysql_native_password";
            }
        }
        return null;
    }

    private static boolean isTimeout(SQLException e) {
        if (TIMED_OUT.contains(e.getErrorCode())) {
            return true;
        }
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof java.net.SocketTimeoutException) {
                return true;
            }
        }
        return false;
    }

    private void drop() {
        Connection old = connection;
        connection = null;
        if (old != null) {
            abort(old);
        }
    }

    /** Ends a connection without a word to the server, which may be gone. */
    static void abort(Connection connection) {
        try {
            connection.abort(Runnable::run);
        } catch (SQLException | RuntimeException e) {
            LOG.debug("A connection could not be aborted", e);
        }
    }

    @Override
    public void close() {
        drop();
    }
}
