package io.lindorm.flink.items;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.junit.jupiter.api.Test;

/** docs/types.md says what the job does: each choice of the table works, and no other. */
class ConversionTest {

    private static final Map<String, DataType> FLINK_TYPES = Map.ofEntries(
            Map.entry("BOOLEAN", DataTypes.BOOLEAN()),
            Map.entry("TINYINT", DataTypes.TINYINT()),
            Map.entry("SMALLINT", DataTypes.SMALLINT()),
            Map.entry("INTEGER", DataTypes.INT()),
            Map.entry("BIGINT", DataTypes.BIGINT()),
            Map.entry("BIGINT UNSIGNED", DataTypes.DECIMAL(20, 0)),
            Map.entry("DECIMAL", DataTypes.DECIMAL(10, 2)),
            Map.entry("FLOAT", DataTypes.FLOAT()),
            Map.entry("DOUBLE", DataTypes.DOUBLE()),
            Map.entry("CHAR", DataTypes.STRING()),
            Map.entry("VARCHAR", DataTypes.STRING()),
            Map.entry("BINARY", DataTypes.BYTES()),
            Map.entry("VARBINARY", DataTypes.BYTES()),
            Map.entry("TIMESTAMP", DataTypes.TIMESTAMP_LTZ(3)),
            Map.entry("DATE", DataTypes.DATE()),
            Map.entry("TIME", DataTypes.TIME(3)),
            // To the job it is text like any other; the controller fills in that it is Json.
            Map.entry("JSON", DataTypes.STRING()));

    /** DynamoDB's type of the default, and the choices, by Lindorm type. */
    private static Map<String, List<String>> table() throws IOException {
        Map<String, List<String>> table = new HashMap<>();
        for (String line : Files.readAllLines(Path.of("../../docs/types.md"))) {
            String[] cells = line.split("\\|");
            if (cells.length > 3 && cells[1].strip().matches("[A-Z ]+")) {
                table.put(cells[1].strip(), List.of(cells[2].strip(), cells[3].strip()));
            }
        }
        return table;
    }

    @Test
    void theTableOfTypesIsTheJobsOwn() throws IOException {
        Map<String, List<String>> table = table();
        assertEquals(FLINK_TYPES.keySet(), table.keySet());
        table.forEach((type, cells) -> {
            LogicalType flinkType = FLINK_TYPES.get(type).getLogicalType();
            List<String> choices = Arrays.asList(cells.get(1).split(", "));
            for (JobConfig.TargetType as : JobConfig.TargetType.values()) {
                Conversion conversion = Conversion.of("c", 0, flinkType, as, null);
                if (choices.contains(as.name())) {
                    assertNotNull(conversion, type + " as " + as);
                } else if (!type.equals("JSON")) {
                    assertNull(conversion, type + " as " + as);
                }
            }
            JobConfig.TargetType first = JobConfig.TargetType.valueOf(choices.get(0));
            assertEquals(
                    cells.get(0),
                    Conversion.of("c", 0, flinkType, first, null).kind().name(),
                    type);
            if (!type.equals("JSON")) {
                assertEquals(first, Conversion.defaultTarget(flinkType), type);
            }
        });
    }

    @Test
    void anIntegerThatIsATimeCanBeText() throws Reject {
        LogicalType bigint = DataTypes.BIGINT().getLogicalType();
        for (JobConfig.Unit unit : JobConfig.Unit.values()) {
            assertNotNull(Conversion.of("c", 0, bigint, JobConfig.TargetType.Iso8601, unit));
        }
        assertNull(Conversion.of("c", 0, bigint, JobConfig.TargetType.Iso8601, null));
        assertEquals("2023-01-02T03:04:05.000Z", JobConfig.Unit.Seconds.iso8601(1672628645, "c"));
        assertEquals("2023-01-02T03:04:05.006Z", JobConfig.Unit.Milliseconds.iso8601(1672628645006L, "c"));
        assertEquals("1969-12-31T23:59:59.999999Z", JobConfig.Unit.Microseconds.iso8601(-1, "c"));
        assertEquals("2023-01-02T03:04:05.000000007Z", JobConfig.Unit.Nanoseconds.iso8601(1672628645000000007L, "c"));
    }

    @Test
    void yearsOfFourDigitsAreTextAndOthersAreRejected() throws Reject {
        assertEquals("0001-01-01T00:00:00.000Z", JobConfig.Unit.Seconds.iso8601(-62135596800L, "c"));
        assertEquals("9999-12-31T23:59:59.000Z", JobConfig.Unit.Seconds.iso8601(253402300799L, "c"));
        for (long second : new long[] {-62135596801L, 253402300800L, Long.MIN_VALUE, Long.MAX_VALUE}) {
            Reject reject = assertThrows(Reject.class, () -> JobConfig.Unit.Seconds.iso8601(second, "c"));
            assertEquals(RejectReason.TimeOutOfRange, reject.reason());
        }
    }
}
