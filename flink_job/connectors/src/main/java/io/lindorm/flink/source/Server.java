package io.lindorm.flink.source;

import java.io.IOException;
import java.io.Serializable;
import java.sql.Connection;
import java.sql.SQLException;

/** The database that a scan reads: Lindorm ({@link LindormServer}), or a test's stand-in for it. */
interface Server extends Serializable {

    /**
     * Opens a session in which a TIMESTAMP means the same to both sides: in UTC.
     *
     * @throws IOException where the password's file cannot be read
     */
    Connection connect(Scan scan) throws SQLException, IOException;

    /** Asks for a table's columns and primary key. */
    TableDescription describe(Connection connection, String table) throws SQLException;
}
