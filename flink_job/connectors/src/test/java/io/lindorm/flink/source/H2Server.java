package io.lindorm.flink.source;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;

/** Stands in for Lindorm with a database in memory, and fails as often as a test wants. */
final class H2Server implements Server {

    private static final long serialVersionUID = 1L;
    private static final Map<String, TableDescription> TABLES = new ConcurrentHashMap<>();

    private final String database;
    private final double failures;

    /**
     * @param database the name of the database in memory
     * @param failures the share of queries that end with a broken connection
     */
    H2Server(String database, double failures) {
        this.database = database;
        this.failures = failures;
    }

    static Connection open(String database) throws SQLException {
        return DriverManager.getConnection("jdbc:h2:mem:" + database
                + ";MODE=MySQL;DB_CLOSE_DELAY=-1;CASE_INSENSITIVE_IDENTIFIERS=FALSE;DATABASE_TO_UPPER=FALSE");
    }

    /** Makes a table whose key is its first columns; a key type that ends in DESC is kept descending. */
    static void create(String database, String table, Map<String, String> columns, int keyColumns) throws SQLException {
        Map<String, String> plain = new LinkedHashMap<>();
        columns.forEach((name, type) -> plain.put(name, type.replace(" DESC", "")));
        StringBuilder ddl = new StringBuilder("CREATE TABLE `" + table + "` (");
        plain.forEach((name, type) ->
                ddl.append("`").append(name).append("` ").append(type).append(", "));
        ddl.append("PRIMARY KEY (");
        ddl.append(String.join(
                ", ",
                plain.keySet().stream()
                        .limit(keyColumns)
                        .map(name -> "`" + name + "`")
                        .toList()));
        try (Connection connection = open(database);
                Statement statement = connection.createStatement()) {
            statement.execute(ddl + "))");
        }
        TABLES.put(
                database + "/" + table,
                new TableDescription(
                        plain,
                        PrimaryKey.of(columns.entrySet().stream()
                                .limit(keyColumns)
                                .map(e -> new KeyColumn(
                                        e.getKey(),
                                        plain.get(e.getKey()),
                                        e.getValue().endsWith(" DESC")))
                                .toArray(KeyColumn[]::new)),
                        null));
    }

    @Override
    public Connection connect(Scan scan) throws SQLException {
        Connection connection = open(database);
        if (failures == 0) {
            return connection;
        }
        return (Connection) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                    if (method.getReturnType() == PreparedStatement.class
                            && ThreadLocalRandom.current().nextDouble() < failures) {
                        throw new SQLException("connection lost", "08S01");
                    }
                    try {
                        return method.invoke(connection, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @Override
    public TableDescription describe(Connection connection, String table) throws SQLException {
        TableDescription description = TABLES.get(database + "/" + table);
        if (description == null) {
            throw new SQLException("Table '" + table + "' doesn't exist", "42S02", 1146);
        }
        return description;
    }
}
