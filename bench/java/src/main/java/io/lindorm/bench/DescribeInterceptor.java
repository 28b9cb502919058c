package io.lindorm.bench;

import com.mysql.cj.MysqlConnection;
import com.mysql.cj.Query;
import com.mysql.cj.interceptors.QueryInterceptor;
import com.mysql.cj.jdbc.JdbcConnection;
import com.mysql.cj.log.Log;
import com.mysql.cj.protocol.Resultset;
import com.mysql.cj.protocol.ServerSession;
import java.sql.SQLException;
import java.util.Properties;
import java.util.function.Supplier;

/**
 * Lets MariaDB answer DESCRIBE in Lindorm's form, so that the project's source reads it unchanged. Named in
 * the URL ({@code queryInterceptors}); every other statement goes to the server as it is.
 */
public final class DescribeInterceptor implements QueryInterceptor {

    private static final String DESCRIBE = "DESCRIBE ";

    private JdbcConnection connection;

    @Override
    public QueryInterceptor init(MysqlConnection toServer, Properties properties, Log log) {
        connection = (JdbcConnection) toServer;
        return this;
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T extends Resultset> T preProcess(Supplier<String> sql, Query intercepted) {
        String text = sql == null ? null : sql.get();
        if (text == null || !text.startsWith(DESCRIBE)) {
            return null;
        }
        String table = text.substring(DESCRIBE.length()).replace("`", "");
        try {
            // Never closed: the result is the caller's, and goes with the connection.
            return (T) connection
                    .createStatement()
                    .executeQuery("SELECT c.column_name AS COLUMN_NAME, UPPER(data_type) AS TYPE,"
                            + " IF(seq_in_index IS NULL, 'false', 'true') AS IS_PRIMARY_KEY,"
                            + " IF(seq_in_index IS NULL, '', 'ASC') AS SORT_ORDER FROM information_schema.columns c"
                            + " LEFT JOIN information_schema.statistics s ON s.table_schema = c.table_schema"
                            + " AND s.table_name = c.table_name AND s.column_name = c.column_name"
                            + " AND index_name = 'PRIMARY'"
                            + " WHERE c.table_schema = DATABASE() AND c.table_name = '" + table + "'"
                            // Lindorm lists the key's columns first, and in the key's order.
                            + " ORDER BY COALESCE(seq_in_index, 100), ordinal_position");
        } catch (SQLException e) {
            throw new IllegalStateException("MariaDB does not describe " + table, e);
        }
    }

    @Override
    public boolean executeTopLevelOnly() {
        return true;
    }

    @Override
    public <T extends Resultset> T postProcess(
            Supplier<String> sql, Query intercepted, T original, ServerSession session) {
        return null;
    }

    @Override
    public void destroy() {
        // It owns nothing.
    }
}
