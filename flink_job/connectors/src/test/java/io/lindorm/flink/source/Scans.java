package io.lindorm.flink.source;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

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

    /** Reads a table as the source does: cuts it into about so many splits and reads them page by page. */
    static List<GenericRowData> read(Server server, Scan scan, Wanted wanted, int splits) throws IOException {
        List<GenericRowData> rows = new ArrayList<>();
        try (LindormTable table = new LindormTable(server, scan, wanted, false, () -> {})) {
            for (KeyRangeSplit split : SplitPlanner.plan(server, scan, wanted, splits)) {
                RowLayout layout = new RowLayout(wanted, split.key());
                KeyRangeSplit rest = split;
                while (true) {
                    List<GenericRowData> page = table.page(rest, scan::pageSize, false);
                    if (page.isEmpty()) {
                        break;
                    }
                    rows.addAll(page);
                    rest = rest.readTo(layout.keyOf(page.get(page.size() - 1)), 0);
                }
            }
        } catch (TableReader.TimedOut e) {
            throw new IOException(e);
        }
        return rows;
    }
}
