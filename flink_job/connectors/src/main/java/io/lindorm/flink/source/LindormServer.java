package io.lindorm.flink.source;

import java.io.IOException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Lindorm over the MySQL protocol, by Connector/J or the driver that stands in its place. */
class LindormServer implements Server {

    private static final long GRACE_MS = 10_000;

    private static final Pattern HASHED_KEY =
            Pattern.compile("PRIMARY\\s+KEY\\s*\\(\\s*(hash\\d+\\s*\\([^)]*\\))", Pattern.CASE_INSENSITIVE);

    /** What a server says to a statement that it does not have: syntax, no support. */
    static final Set<Integer> UNSUPPORTED = Set.of(1064, 1235, 9001);

    @Override
    public Connection connect(Scan scan) throws SQLException, IOException {
        Properties properties = new Properties();
        // What Alibaba's guide for Java sets; a parameter of the same name in the URL goes first.
        put(properties, scan, "useServerPrepStmts", "true");
        put(properties, scan, "cachePrepStmts", "true");
        put(properties, scan, "prepStmtCacheSize", "100");
        put(properties, scan, "prepStmtCacheSqlLimit", "65536");
        put(properties, scan, "useLocalSessionState", "true");
        put(properties, scan, "characterEncoding", "UTF-8");
        // A key may hold an infinite number, and the rows after it are asked for. MySQL itself has none.
        put(properties, scan, "allowNanAndInf", "true");
        put(properties, scan, "connectTimeout", "10000");
        // Later than the server's own limit, whose error says what happened.
        put(properties, scan, "socketTimeout", Long.toString(scan.timeout().toMillis() + GRACE_MS));
        put(properties, scan, "tcpKeepAlive", "true");
        properties.setProperty("user", scan.username());
        properties.setProperty("password", scan.password().reveal());
        Connection connection = driver(scan.url()).connect(properties, scan.tls());
        try (Statement statement = connection.createStatement()) {
            // Lindorm shows a TIMESTAMP in the session's zone, by default UTC+8.
            statement.execute("SET time_zone = '+00:00'");
            return connection;
        } catch (SQLException | RuntimeException e) {
            Session.abort(connection);
            throw e;
        }
    }

    /** What to connect with. */
    JdbcDriver driver(String url) throws SQLException {
        return JdbcDriver.find(url, LindormServer.class.getClassLoader());
    }

    private static void put(Properties properties, Scan scan, String name, String value) {
        if (!scan.url().contains(name + "=")) {
            properties.setProperty(name, value);
        }
    }

    @Override
    public TableDescription describe(Connection connection, String table) throws SQLException {
        Map<String, String> columns = new LinkedHashMap<>();
        List<KeyColumn> key = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("DESCRIBE " + ScanQuery.quote(table))) {
            while (rows.next()) {
                String name = rows.getString("COLUMN_NAME");
                String type = rows.getString("TYPE");
                columns.put(name, type);
                if ("true".equalsIgnoreCase(rows.getString("IS_PRIMARY_KEY"))) {
                    key.add(new KeyColumn(name, type, "DESC".equalsIgnoreCase(rows.getString("SORT_ORDER"))));
                }
            }
        }
        return new TableDescription(columns, new PrimaryKey(List.copyOf(key)), hashOf(connection, table));
    }

    /** The hash function that the key begins with, which DESCRIBE has no place for; null for none. */
    private static String hashOf(Connection connection, String table) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SHOW CREATE TABLE " + ScanQuery.quote(table))) {
            if (!rows.next()) {
                return null;
            }
            Matcher hash = HASHED_KEY.matcher(rows.getString(rows.getMetaData().getColumnCount()));
            return hash.find() ? hash.group(1) : null;
        } catch (SQLException e) {
            if (UNSUPPORTED.contains(e.getErrorCode())) {
                // A version without the statement: if the key is hashed, Lindorm refuses the first read in its own
                // words.
                return null;
            }
            throw e;
        }
    }
}
