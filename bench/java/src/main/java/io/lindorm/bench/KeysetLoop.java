package io.lindorm.bench;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDateTime;

/**
 * The floor of reading: Connector/J and nothing else, one connection, pages by key of the same time range with a
 * server-side prepared statement, each column of each row fetched once.
 *
 * <p>Arguments: JDBC URL, table, rows of a page.
 */
public final class KeysetLoop {

    /** As the project's job has it. */
    private static final String RANGE = " WHERE ts >= '2023-01-01 00:00:00' AND ts < '2024-01-01 00:00:00'";

    private KeysetLoop() {}

    public static void main(String[] arguments) throws Exception {
        String order = " ORDER BY device, ts LIMIT " + arguments[2];
        String select = "SELECT device, ts, metric, val, note FROM " + arguments[1] + RANGE;
        try (Connection connection = DriverManager.getConnection(arguments[0], "bench", "bench");
                Statement statement = connection.createStatement();
                PreparedStatement first = connection.prepareStatement(select + order);
                PreparedStatement next = connection.prepareStatement(
                        select + " AND device >= ? AND (device > ? OR (device = ? AND ts > ?))" + order)) {
            statement.execute("SET time_zone = '+00:00'");
            Rounds.serve(() -> read(first, next));
        }
    }

    private static long read(PreparedStatement first, PreparedStatement next) throws SQLException {
        Page page = new Page(first);
        long rows = page.rows;
        while (page.rows > 0) {
            next.setString(1, page.device);
            next.setString(2, page.device);
            next.setString(3, page.device);
            next.setObject(4, page.ts);
            page = new Page(next);
            rows += page.rows;
        }
        return rows;
    }

    /** A page that has been read, and its last key. */
    private static final class Page {
        private int rows;
        private String device;
        private LocalDateTime ts;
        private long seen;

        Page(PreparedStatement statement) throws SQLException {
            try (ResultSet result = statement.executeQuery()) {
                while (result.next()) {
                    rows++;
                    device = result.getString(1);
                    ts = result.getObject(2, LocalDateTime.class);
                    // Summed, so that no column's decoding can be left out as unused.
                    seen += result.getBytes(3).length + (long) result.getDouble(4) + result.getBytes(5).length;
                }
            }
            if (rows > 0 && seen == 0) {
                throw new IllegalStateException("the rows are empty");
            }
        }
    }
}
