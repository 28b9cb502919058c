package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ScanTest {

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "url | http://localhost | 'url' must look like",
                "url | jdbc:mysql://host:33060 | 'url' must look like",
                "url | jdbc:mysql://u:p@host:33060/db | 'url' must look like",
                "url | jdbc:mysql://host:33060/db?password=x | must not hold a password",
                "tls.mode | VERIFY_CA | go together",
                "tls.ca-file | /ca.crt | go together",
                "password-file | /x | give one of",
                "scan.page-size | 2001 | between 1 and 2000",
                "scan.page-size | 0 | between 1 and 2000",
                "scan.timestamp.start | 2023-01-01T00:00:00Z | need 'scan.timestamp.column'",
                "scan.rows-per-second | -1 | must be positive",
            })
    void aWrongOptionIsSaidInASentence(String name, String value, String said) {
        UserError error = assertThrows(UserError.class, () -> Scans.of(name, value));
        assertTrue(error.getMessage().startsWith("LindormImport: "), error.getMessage());
        assertTrue(error.getMessage().contains(said), error.getMessage());
    }

    @Test
    void aRangeMustHaveAZoneAndAnOrder() {
        assertThrows(
                UserError.class,
                () -> Scans.of("scan.timestamp.column", "ts", "scan.timestamp.start", "2023-01-01 00:00:00"));
        assertThrows(
                UserError.class,
                () -> Scans.of(
                        "scan.timestamp.column",
                        "ts",
                        "scan.timestamp.start",
                        "2023-01-01T00:00:00.001Z",
                        "scan.timestamp.end",
                        "2023-01-01T08:00:00+08:00"));
    }

    /** What controller and connector must make of the same bounds. */
    static Stream<JsonNode> timeBounds() throws Exception {
        return cases("time-bounds.json");
    }

    private static Stream<JsonNode> cases(String file) throws Exception {
        JsonNode all = new ObjectMapper()
                .readTree(Path.of("../../tests/data").resolve(file).toFile());
        assertTrue(all.size() > 10, "the cases are gone");
        return StreamSupport.stream(all.spliterator(), false);
    }

    private static Scan range(String unit, String start, String end) {
        List<String> options = new ArrayList<>(List.of("scan.timestamp.column", "t"));
        if (unit != null) {
            options.addAll(List.of("scan.timestamp.unit", unit));
        }
        if (start != null) {
            options.addAll(List.of("scan.timestamp.start", start));
        }
        if (end != null) {
            options.addAll(List.of("scan.timestamp.end", end));
        }
        return Scans.of(options.toArray(String[]::new));
    }

    @ParameterizedTest
    @MethodSource("timeBounds")
    void aBoundIsRoundedUpToWhatTheColumnHolds(JsonNode given) {
        String unit = given.get("unit").isNull() ? null : given.get("unit").asText();
        Object value = unit == null
                ? LocalDateTime.parse(given.get("value").asText().replace(' ', 'T'))
                : (Object) given.get("value").asLong();
        // Whether the controller has rounded it or a user of Flink SQL has written it.
        for (String bound :
                List.of(given.get("bound").asText(), given.get("job").asText())) {
            assertEquals(value, range(unit, bound, null).start());
            assertEquals(value, range(unit, null, bound).end());
        }
    }

    @ParameterizedTest
    @CsvSource({
        ", 2023-01-01T00:00:00.0001Z, 2023-01-01T00:00:00.0002Z",
        "Seconds, 2023-01-01T00:00:00.5Z, 2023-01-01T00:00:01Z",
        "Nanoseconds, 2023-01-01T00:00:00Z, 2023-01-01T00:00:00Z",
        ", 9999-12-31T23:59:59.9999Z, +10000-06-01T00:00:00Z",
        ", 0000-01-01T00:00:00Z, 0000-06-01T00:00:00Z",
        "Nanoseconds, 2300-01-01T00:00:00Z, 2400-01-01T00:00:00Z",
        "Nanoseconds, 1500-01-01T00:00:00Z, 1600-01-01T00:00:00Z",
    })
    void aRangeThatNoValueOfTheColumnIsInHasNoRows(String unit, String start, String end) {
        assertTrue(range(unit, start, end).isEmpty());
    }

    @Test
    void aBoundBeyondAllValuesLetsThemAllInButNotNull() {
        assertEquals(
                Long.MIN_VALUE,
                range("Nanoseconds", null, "9999-12-31T00:00:00Z").start());
        assertEquals(null, range("Nanoseconds", null, "9999-12-31T00:00:00Z").end());
        assertEquals(
                TimeBounds.FIRST_TIMESTAMP,
                range(null, null, "9999-12-31T23:59:59.9999Z").start());
        assertEquals(null, range(null, null, "9999-12-31T23:59:59.9999Z").end());
        assertEquals(
                1_672_531_200_000_000_000L,
                range("Nanoseconds", "2023-01-01T00:00:00Z", "9999-12-31T00:00:00Z")
                        .start());
    }

    @Test
    void aRangeIsTheSameInstantWhateverTheOffset() {
        Scan scan = Scans.of("scan.timestamp.column", "ts", "scan.timestamp.start", "2023-01-01T08:00:00.001+08:00");
        assertEquals(LocalDateTime.of(2023, 1, 1, 0, 0, 0, 1_000_000), scan.start());
    }

    @ParameterizedTest
    @CsvSource({
        "Seconds, 2023-01-01T00:00:00Z, 1672531200",
        "Seconds, 2023-01-01T00:00:00.001Z, 1672531201",
        "Milliseconds, 2023-01-01T00:00:00.001Z, 1672531200001",
        "Microseconds, 2023-01-01T00:00:00.001Z, 1672531200001000",
        "Nanoseconds, 2023-01-01T00:00:00.001Z, 1672531200001000000",
        "Seconds, 1969-12-31T23:59:59.500Z, 0",
        "Milliseconds, 1969-12-31T23:59:59.500Z, -500",
    })
    void anEpochColumnsBoundIsTheFirstNumberInside(String unit, String instant, long number) {
        assertEquals(
                number,
                Scans.of("scan.timestamp.column", "t", "scan.timestamp.unit", unit, "scan.timestamp.start", instant)
                        .start());
    }

    @Test
    void aBoundBetweenTwoMillisecondsKeepsToWhatTheColumnHolds() {
        Scan scan = Scans.of(
                "scan.timestamp.column",
                "ts",
                "scan.timestamp.start",
                "2023-01-01T00:00:00.0001Z",
                "scan.timestamp.end",
                "2023-01-01T00:00:01.0009Z");
        assertEquals(LocalDateTime.of(2023, 1, 1, 0, 0, 0, 1_000_000), scan.start());
        assertEquals(LocalDateTime.of(2023, 1, 1, 0, 0, 1, 1_000_000), scan.end());
    }

    private static Scan query(String sql) {
        return Scans.of("table-name", null, "scan.query", sql);
    }

    @Test
    void aQuerysTableColumnsAndConditionsAreTakenOver() {
        Scan scan =
                query("select `device`, ts from readings where ts >= '2023-01-01' and '2023-02-01 00:00:00.001' > ts"
                        + " and (metric = 'a and b' or val > -1.5) -- the rest\n and n between 1 and 5;");
        assertEquals("readings", scan.table());
        assertEquals("ts", scan.timeColumn());
        assertEquals(LocalDateTime.of(2023, 1, 1, 0, 0), scan.start());
        assertEquals(LocalDateTime.of(2023, 2, 1, 0, 0, 0, 1_000_000), scan.end());
        assertEquals("(metric = 'a and b' or val > -1.5)\nAND n between 1 and 5", scan.filter());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ts BETWEEN '2023-01-01 00:00:00' AND '2023-01-01 00:00:01' | 2023-01-01T00:00 | 2023-01-01T00:00:01.001",
                "ts > 1672531200000 AND ts <= 1672531200005 | 2023-01-01T00:00:00.001 | 2023-01-01T00:00:00.006",
                "ts = TIMESTAMP '2023-01-01 08:00:00' | 2023-01-01T08:00 | 2023-01-01T08:00:00.001",
            })
    void aQuerysTimesAreHalfOpenRanges(String condition, String start, String end) {
        Scan scan = query("SELECT * FROM t WHERE " + condition);
        assertEquals(LocalDateTime.parse(start), scan.start());
        assertEquals(LocalDateTime.parse(end), scan.end());
        assertEquals(null, scan.filter());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ts >= '2023-01-01' OR ts < '2022-01-01'",
                "ts >= now()",
                "NOT ts >= '2023-01-01'",
                "ts IS NULL",
                "metric = 'x'",
                "device >= '2023-01-01'",
            })
    void whatIsNoTimeRangeIsLeftToLindorm(String condition) {
        Scan scan = query("SELECT * FROM t WHERE " + condition);
        assertEquals(null, scan.timeColumn());
        assertEquals(condition, scan.filter());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "SELECT device, ts FROM t ORDER BY ts | only WHERE may follow",
                "SELECT device, ts FROM t WHERE ts > 1 LIMIT 5 | LIMIT cannot be taken over",
                "SELECT device, max(ts) FROM t | neither",
                "SELECT device FROM t | does not select it",
                "SELECT /*+ _l_allow_filtering_ */ * FROM t | hints",
                "DELETE FROM t | must be SELECT",
                "SELECT * FROM t WHERE | no condition",
                "SELECT * FROM t WHERE a = 1) | closed that was not opened",
                "SELECT * FROM t WHERE (a = 1 | ends too early",
                "SELECT * FROM a, b | only WHERE may follow",
            })
    void aQueryThatIsMoreIsRefused(String sql, String said) {
        UserError error = assertThrows(UserError.class, () -> query(sql));
        assertTrue(error.getMessage().contains(said), error.getMessage());
    }

    @Test
    void aQueryReplacesTheOptions() {
        assertThrows(UserError.class, () -> Scans.of("scan.query", "SELECT * FROM t", "scan.filter", "a = 1"));
        assertThrows(UserError.class, () -> Scans.of("table-name", "other", "scan.query", "SELECT * FROM t"));
        assertThrows(UserError.class, () -> Scans.of("table-name", null));
    }

    @Test
    void bothFormsOfTheUrlMeanTheSame() {
        assertEquals(
                Scans.of().url(),
                Scans.of("url", "jdbc:lindorm://localhost:33060/default").url());
        assertEquals(
                "jdbc:mysql://h:1/d?sslMode=REQUIRED",
                Scans.of("url", "jdbc:lindorm://h:1/d?sslMode=REQUIRED").url());
    }

    @Test
    void splitPointsMayHoldTheSeparator() {
        assertEquals(
                List.of("a;b", "it's"),
                Scans.of("scan.split.points", "'a;b';'it''s'").splitPoints());
        assertEquals(List.of("a"), Scans.of("scan.split.points", "'a'").splitPoints());
        assertEquals(List.of("a", "b"), Scans.of("scan.split.points", "a;b").splitPoints());
    }

    /** What controller and connector must make of the same Secret. */
    static Stream<JsonNode> secrets() throws Exception {
        return cases("secrets.json");
    }

    @ParameterizedTest
    @MethodSource("secrets")
    void ofAPasswordsFileOnlyOneFinalNewlineIsTakenOff(JsonNode given, @TempDir Path folder) throws Exception {
        Path file =
                Files.writeString(folder.resolve("password"), given.get("file").asText());
        assertEquals(
                given.get("value").asText(),
                Scans.of("password", null, "password-file", file.toString())
                        .password()
                        .reveal());
    }

    @Test
    void thePasswordShowsItselfToNobodyAndIsReadAnew(@TempDir Path folder) throws Exception {
        assertFalse(Scans.of().toString().contains("hush"));
        Path file = folder.resolve("password");
        Files.writeString(file, "first\n");
        Scan scan = Scans.of("password", null, "password-file", file.toString());
        assertEquals("first", scan.password().reveal());
        Files.writeString(file, "second\n");
        assertEquals("second", scan.password().reveal());
    }
}
