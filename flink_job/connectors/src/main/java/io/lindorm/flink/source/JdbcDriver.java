package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.ServiceLoader;
import java.util.regex.Pattern;

/**
 * The JDBC driver that the image holds, and the address as that driver writes it.
 *
 * <p>Connector/J is not in this jar but beside it (LICENSES.md says why), so that another driver of the MySQL protocol
 * can be put in its place.
 */
record JdbcDriver(Driver driver, String url) {

    private static final String CONNECTOR_J = "com.mysql.cj.jdbc.NonRegisteringDriver";
    private static final String MYSQL = "jdbc:mysql:";
    private static final String MARIADB = "jdbc:mariadb:";

    /** That driver's names. It has no mode that falls back: {@link #connect} does so. */
    private static final Map<LindormOptions.TlsMode, String> MARIADB_MODES = Map.of(
            LindormOptions.TlsMode.DISABLED, "disable",
            LindormOptions.TlsMode.PREFERRED, "trust",
            LindormOptions.TlsMode.REQUIRED, "trust",
            LindormOptions.TlsMode.VERIFY_CA, "verify-ca",
            LindormOptions.TlsMode.VERIFY_IDENTITY, "verify-full");

    /** What MariaDB's driver says where a server has no TLS; it has no number for it. */
    static final String MARIADB_NO_TLS = "ssl not enabled in the server";

    /** The plugin by which nothing of a password is sent that it could be read back from. */
    private static final String SHOWS_NOTHING = "mysql_native_password";

    /** The plugins of Connector/J's that send the password itself, if need be encrypted with a key that the server names. */
    private static final String SHOW_PASSWORD =
            "mysql_clear_password,sha256_password,caching_sha2_password,mysql_old_password";

    private static final Pattern URL_VERIFIES = Pattern.compile(
            "[?&]sslMode=(VERIFY_CA|VERIFY_IDENTITY|verify-ca|verify-full)(&|$)", Pattern.CASE_INSENSITIVE);
    private static final Pattern URL_LETS_SHOW =
            Pattern.compile("[?&]allowPublicKeyRetrieval=true(&|$)", Pattern.CASE_INSENSITIVE);

    /**
     * Connector/J where it is there, else the first driver that takes the address, or the same with jdbc:mariadb.
     *
     * @param url jdbc:mysql://host:port/database
     * @param loader where the drivers are looked for
     * @throws UserError where there is none
     */
    static JdbcDriver find(String url, ClassLoader loader) throws SQLException {
        try {
            // Not by its service: that class registers itself with DriverManager, which would outlive the job's loader.
            Class<?> connectorJ = Class.forName(CONNECTOR_J, true, loader);
            return new JdbcDriver((Driver) connectorJ.getConstructor().newInstance(), url);
        } catch (ClassNotFoundException absent) {
            return other(url, loader);
        } catch (ReflectiveOperationException e) {
            throw new SQLException(CONNECTOR_J + " cannot be made", e);
        }
    }

    private static JdbcDriver other(String url, ClassLoader loader) throws SQLException {
        List<String> addresses = List.of(url, url.replaceFirst("^" + MYSQL, MARIADB));
        for (Driver driver : ServiceLoader.load(Driver.class, loader)) {
            for (String address : addresses) {
                if (driver.acceptsURL(address)) {
                    return new JdbcDriver(driver, address);
                }
            }
        }
        throw new UserError("the job's image holds no JDBC driver for " + MYSQL
                + " addresses: put Connector/J, or another driver of "
                + "the MySQL protocol, beside lindorm-flink.jar");
    }

    /**
     * A new connection. Who answers gets no password that can be read back unless it is verified who that is, or the
     * address says that it may.
     */
    Connection connect(Properties properties, Scan.Tls tls) throws SQLException, IOException {
        if (!isVerified(tls) && !URL_LETS_SHOW.matcher(url).find()) {
            put(properties, "restrictedAuth", SHOWS_NOTHING); // MariaDB's
            put(properties, "defaultAuthenticationPlugin", SHOWS_NOTHING); // Connector/J's, as the next
            put(properties, "disabledAuthenticationPlugins", SHOW_PASSWORD);
        }
        boolean preferred =
                tls.mode() == null ? !url.contains("sslMode=") : tls.mode() == LindormOptions.TlsMode.PREFERRED;
        if (!url.startsWith(MARIADB) || !preferred) {
            return open(properties, tls);
        }
        try {
            return open(properties, new Scan.Tls(LindormOptions.TlsMode.PREFERRED, null));
        } catch (SQLException e) {
            if (!String.valueOf(e.getMessage()).contains(MARIADB_NO_TLS)) {
                throw e;
            }
            return open(properties, new Scan.Tls(LindormOptions.TlsMode.DISABLED, null));
        }
    }

    private void put(Properties properties, String name, String value) {
        if (!url.contains(name + "=")) {
            properties.setProperty(name, value);
        }
    }

    private boolean isVerified(Scan.Tls tls) {
        return tls.mode() == null
                ? URL_VERIFIES.matcher(url).find()
                : tls.mode() == LindormOptions.TlsMode.VERIFY_CA
                        || tls.mode() == LindormOptions.TlsMode.VERIFY_IDENTITY;
    }

    private Connection open(Properties properties, Scan.Tls tls) throws SQLException, IOException {
        if (url.startsWith(MARIADB)) {
            // Else that driver sets sql_mode by an expression, for writes that this job never does.
            properties.setProperty("jdbcCompliantTruncation", "false");
            if (tls.mode() != null) {
                properties.setProperty("sslMode", MARIADB_MODES.get(tls.mode()));
            }
            if (tls.caFile() != null) {
                properties.setProperty("serverSslCert", tls.caFile());
            }
            return driver.connect(url, properties);
        }
        if (tls.mode() != null) {
            properties.setProperty("sslMode", tls.mode().name());
        }
        if (tls.caFile() == null) {
            return driver.connect(url, properties);
        }
        try (TrustStore trusted = TrustStore.of(Path.of(tls.caFile()))) {
            properties.setProperty(
                    "trustCertificateKeyStoreUrl", trusted.file().toUri().toString());
            properties.setProperty("trustCertificateKeyStoreType", TrustStore.TYPE);
            properties.setProperty("trustCertificateKeyStorePassword", TrustStore.PASSWORD);
            return driver.connect(url, properties);
        }
    }
}
