package io.lindorm.flink.source;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.logical.RowType;

import java.util.HashMap;
import java.util.Map;

/** Scans with defaults, for tests. */
final class Scans {

    private static final RowType COLUMNS = (RowType) DataTypes.ROW(
                    DataTypes.FIELD("device", DataTypes.STRING()), DataTypes.FIELD("ts", DataTypes.TIMESTAMP_LTZ(3)))
            .getLogicalType();

    private Scans() {}

    /** A scan of table {@code t} with these options: names and values in turn. */
    static Scan of(String... options) {
        Map<String, String> all = new HashMap<>(Map.of(
                "url", "jdbc:mysql://localhost:33060/default", "table-name", "t", "username", "u", "password", "hush"));
        for (int i = 0; i < options.length; i += 2) {
            if (options[i + 1] == null) {
                all.remove(options[i]);
            } else {
                all.put(options[i], options[i + 1]);
            }
        }
        return Scan.of(Configuration.fromMap(all), COLUMNS);
    }
}
