package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Both JDBC drivers that may be in the image, over TLS and without, against a server with an authority of its own. */
@Timeout(120)
class DriversTest {

    private static final int ROWS = 3_000;
    private static final RowType READINGS = (RowType) DataTypes.ROW(
                    DataTypes.FIELD("device", DataTypes.STRING()),
                    DataTypes.FIELD("ts", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("val", DataTypes.DOUBLE()))
            .getLogicalType();

    enum Driver {
        CONNECTOR_J,
        MARIADB;

        Server server() {
            return this == CONNECTOR_J ? new LindormServer() : new OverMariaDb();
        }
    }

    /** As where Connector/J is not in the image, but MariaDB's driver is. */
    private static final class OverMariaDb extends LindormServer {
        private static final long serialVersionUID = 1L;

        @Override
        JdbcDriver driver(String url) {
            return new JdbcDriver(new org.mariadb.jdbc.Driver(), url.replaceFirst("mysql", "mariadb"));
        }
    }

    @TempDir
    static Path folder;

    private static StandIn encrypted;
    private static StandIn plain;

    @BeforeAll
    static void start() throws Exception {
        encrypted = new StandIn(Files.createDirectory(folder.resolve("encrypted")), folder.resolve("tls"));
        plain = new StandIn(Files.createDirectory(folder.resolve("plain")));
        for (StandIn server : List.of(encrypted, plain)) {
            server.post("/load", "{\"rows\": " + ROWS + "}");
        }
    }

    @AfterAll
    static void stop() throws Exception {
        encrypted.close();
        plain.close();
    }

    @BeforeEach
    void fresh() throws Exception {
        encrypted.post("/reset", "{}");
    }

    private static List<GenericRowData> read(Driver driver, String url, String... options) throws IOException {
        return read(driver, url, READINGS, options);
    }

    private static List<GenericRowData> read(Driver driver, String url, RowType columns, String... options)
            throws IOException {
        List<String> all = new ArrayList<>(List.of(
                "url",
                url,
                "table-name",
                "readings",
                "username",
                StandIn.USER,
                "password",
                StandIn.PASSWORD,
                "scan.page-size",
                "500"));
        all.addAll(List.of(options));
        Scan scan = Scans.of(all.toArray(String[]::new));
        return Scans.read(driver.server(), scan, new Wanted(columns, false), 4);
    }

    @Test
    void bothDriversReadTheSameValuesOfEveryType() throws Exception {
        plain.execute(
                "CREATE TABLE every (k INTEGER, b BOOLEAN, t TINYINT, s SMALLINT, l BIGINT, u BIGINT UNSIGNED, f FLOAT, d DOUBLE,"
                        + " n DECIMAL(38,6), c CHAR(5), v VARCHAR, y BINARY(4), z VARBINARY, da DATE, ti TIME, ts TIMESTAMP,"
                        + " PRIMARY KEY (k))",
                "UPSERT INTO every VALUES (1, TRUE, -128, 32767, 9223372036854775807, 18446744073709551615, 1.25, -0.1,"
                        + " 12345678901234567890123456789012.123456, 'ab', 'h\u00e9 \ud83d\ude00', x'00ff', x'00fe80', '0001-01-01',"
                        + " '23:59:58', '2023-07-01 12:34:56.789')",
                "UPSERT INTO every (k, da, ts) VALUES (2, '9999-12-31', '9999-12-31 23:59:58.999')",
                "UPSERT INTO every (k, ts) VALUES (3, '0001-01-01 00:00:00')");
        RowType every = (RowType) DataTypes.ROW(
                        DataTypes.FIELD("k", DataTypes.INT()), DataTypes.FIELD("b", DataTypes.BOOLEAN()),
                        DataTypes.FIELD("t", DataTypes.TINYINT()), DataTypes.FIELD("s", DataTypes.SMALLINT()),
                        DataTypes.FIELD("l", DataTypes.BIGINT()), DataTypes.FIELD("u", DataTypes.DECIMAL(20, 0)),
                        DataTypes.FIELD("f", DataTypes.FLOAT()), DataTypes.FIELD("d", DataTypes.DOUBLE()),
                        DataTypes.FIELD("n", DataTypes.DECIMAL(38, 6)), DataTypes.FIELD("c", DataTypes.STRING()),
                        DataTypes.FIELD("v", DataTypes.STRING()), DataTypes.FIELD("y", DataTypes.BYTES()),
                        DataTypes.FIELD("z", DataTypes.BYTES()), DataTypes.FIELD("da", DataTypes.DATE()),
                        DataTypes.FIELD("ti", DataTypes.TIME(3)), DataTypes.FIELD("ts", DataTypes.TIMESTAMP_LTZ(3)))
                .getLogicalType();
        List<GenericRowData> rows = read(Driver.CONNECTOR_J, plain.url(), every, "table-name", "every");
        assertEquals(3, rows.size());
        assertEquals(
                rows.toString(),
                read(Driver.MARIADB, plain.url(), every, "table-name", "every").toString());
        assertEquals(rows, read(Driver.MARIADB, plain.url(), every, "table-name", "every"));
    }

    @Test
    void aDriverThatCannotReadAColumnEndsTheScanAtOnce() throws Exception {
        plain.execute(
                "CREATE TABLE documents (k INTEGER, j JSON, PRIMARY KEY (k))",
                "UPSERT INTO documents VALUES (1, '{}')");
        RowType columns =
                (RowType) DataTypes.ROW(DataTypes.FIELD("k", DataTypes.INT()), DataTypes.FIELD("j", DataTypes.STRING()))
                        .getLogicalType();
        assertEquals(
                "{}",
                read(Driver.CONNECTOR_J, plain.url(), columns, "table-name", "documents")
                        .get(0)
                        .getString(1)
                        .toString());
        UserError said = assertThrows(
                UserError.class, () -> read(Driver.MARIADB, plain.url(), columns, "table-name", "documents"));
        assertTrue(said.getMessage().contains("JSON"), said.getMessage());
    }

    private static int encryptedConnections() throws Exception {
        return encrypted.get("/state").get("counters").get("encrypted").asInt();
    }

    private static String ca() {
        return folder.resolve("tls/ca.crt").toString();
    }

    @ParameterizedTest
    @CsvSource({
        "CONNECTOR_J, DISABLED, false",
        "CONNECTOR_J, PREFERRED, true",
        "CONNECTOR_J, REQUIRED, true",
        "MARIADB, DISABLED, false",
        "MARIADB, PREFERRED, true",
        "MARIADB, REQUIRED, true",
    })
    void theModeSaysWhetherItIsEncrypted(Driver driver, String mode, boolean withTls) throws Exception {
        assertEquals(ROWS, new HashSet<>(read(driver, encrypted.url(), "tls.mode", mode)).size());
        assertEquals(withTls, encryptedConnections() > 0);
    }

    @ParameterizedTest
    @CsvSource({
        "CONNECTOR_J, VERIFY_CA, 127.0.0.1",
        "CONNECTOR_J, VERIFY_IDENTITY, localhost",
        "MARIADB, VERIFY_CA, 127.0.0.1",
        "MARIADB, VERIFY_IDENTITY, localhost",
    })
    void aServerWhoseAuthorityIsKnownIsRead(Driver driver, String mode, String host) throws Exception {
        assertEquals(
                ROWS,
                read(driver, encrypted.url(host), "tls.mode", mode, "tls.ca-file", ca())
                        .size());
        assertTrue(encryptedConnections() > 0);
    }

    private static String refusal(Driver driver, String url, String... options) {
        List<String> all = new ArrayList<>(List.of(options));
        all.addAll(List.of("scan.retries", "0")); // what would be tried again is no refusal
        UserError said = assertThrows(UserError.class, () -> read(driver, url, all.toArray(String[]::new)));
        assertTrue(said.getMessage().startsWith("LindormImport: "), said.getMessage());
        return said.getMessage();
    }

    @ParameterizedTest
    @EnumSource(Driver.class)
    void aServerOfAnotherAuthorityIsRefusedAtOnce(Driver driver, @TempDir Path other) throws Exception {
        new StandIn(Files.createDirectory(other.resolve("data")), other.resolve("tls")).close();
        String said = refusal(
                driver,
                encrypted.url(),
                "tls.mode",
                "VERIFY_CA",
                "tls.ca-file",
                other.resolve("tls/ca.crt").toString());
        assertTrue(said.contains("certificate is not trusted") && said.contains("'tls.ca-file'"), said);
    }

    @ParameterizedTest
    @EnumSource(Driver.class)
    void aServerOfAnotherNameIsRefusedAtOnce(Driver driver) {
        String said = refusal(driver, encrypted.url("127.0.0.1"), "tls.mode", "VERIFY_IDENTITY", "tls.ca-file", ca());
        assertTrue(said.contains("certificate is not trusted") && said.contains("VERIFY_IDENTITY"), said);
    }

    @ParameterizedTest
    @CsvSource({"CONNECTOR_J, REQUIRED", "MARIADB, REQUIRED"})
    void aServerWithoutTlsIsRefusedAtOnceWhereItIsRequired(Driver driver, String mode) {
        String said = refusal(driver, plain.url(), "tls.mode", mode);
        assertTrue(said.contains("offers no TLS"), said);
    }

    @ParameterizedTest
    @EnumSource(Driver.class)
    void aFileWithoutCertificatesIsNamed(Driver driver, @TempDir Path empty) throws Exception {
        Path file = Files.writeString(empty.resolve("ca.crt"), "no certificate");
        String said = refusal(driver, encrypted.url(), "tls.mode", "VERIFY_CA", "tls.ca-file", file.toString());
        assertTrue(said.contains("'tls.ca-file'"), said);
    }

    private static int readablePasswords(StandIn server) throws Exception {
        JsonNode state;
        do { // until the server is done with every connection, and so has counted all
            state = server.get("/state");
        } while (state.get("open").asInt() > 0);
        return state.get("counters").get("readable_passwords").asInt();
    }

    static Stream<Arguments> passwordShown() {
        return Arrays.stream(Driver.values())
                .flatMap(driver -> Stream.of("caching_sha2_password", "sha256_password", "mysql_clear_password")
                        .flatMap(plugin -> Stream.of("DISABLED", "PREFERRED", "REQUIRED", "none")
                                .map(mode -> Arguments.of(driver, plugin, mode))));
    }

    @ParameterizedTest
    @MethodSource("passwordShown")
    void nobodyUnverifiedGetsAPasswordThatCanBeRead(Driver driver, String plugin, String mode) throws Exception {
        for (StandIn server : List.of(encrypted, plain)) {
            server.post("/reset", "{}");
            server.post("/settings", "{\"auth_plugin\": \"" + plugin + "\"}");
            try {
                if (mode.equals("REQUIRED") && server == plain) {
                    continue;
                }
                String said = mode.equals("none")
                        ? refusal(driver, server.url())
                        : refusal(driver, server.url(), "tls.mode", mode);
                assertTrue(
                        said.contains("shows it to whoever is at the other end") && said.contains("VERIFY_CA"), said);
                assertEquals(0, readablePasswords(server));
            } finally {
                server.post("/reset", "{}");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "CONNECTOR_J, caching_sha2_password",
        "CONNECTOR_J, sha256_password",
        "CONNECTOR_J, mysql_clear_password",
        "MARIADB, caching_sha2_password",
        "MARIADB, mysql_clear_password",
    })
    void whoIsVerifiedGetsThePasswordAsItAsksForIt(Driver driver, String plugin) throws Exception {
        encrypted.post("/settings", "{\"auth_plugin\": \"" + plugin + "\"}");
        assertEquals(
                ROWS,
                read(driver, encrypted.url("localhost"), "tls.mode", "VERIFY_IDENTITY", "tls.ca-file", ca())
                        .size());
        assertTrue(readablePasswords(encrypted) > 0);
    }

    @Test
    void anAddressMayLetThePasswordBeShown() throws Exception {
        encrypted.post("/settings", "{\"auth_plugin\": \"caching_sha2_password\"}");
        String url = encrypted.url() + "?sslMode=DISABLED&allowPublicKeyRetrieval=true";
        assertEquals(ROWS, read(Driver.CONNECTOR_J, url).size());
    }

    @ParameterizedTest
    @EnumSource(Driver.class)
    void aCertificateWithAnyWritingBesideItIsRead(Driver driver) throws Exception {
        Path file = Files.writeString(
                folder.resolve("with-comments.crt"), "# Z\u00fcrich \u4e2d\u6587\n" + Files.readString(Path.of(ca())));
        String[] options = {"tls.mode", "VERIFY_CA", "tls.ca-file", file.toString()};
        assertEquals(ROWS, read(driver, encrypted.url(), options).size());
    }

    @ParameterizedTest
    @EnumSource(Driver.class)
    void aServerWithoutTlsIsReadWhereItIsOnlyPreferred(Driver driver) throws Exception {
        Set<GenericRowData> rows = new HashSet<>(read(driver, plain.url(), "tls.mode", "PREFERRED"));
        assertEquals(ROWS, rows.size());
    }
}
