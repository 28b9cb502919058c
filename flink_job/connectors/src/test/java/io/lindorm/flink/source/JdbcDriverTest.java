package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverPropertyInfo;
import java.util.Properties;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JdbcDriverTest {

    private static final String URL = "jdbc:mysql://ld.example:33060/default";

    /** A driver that takes only its own addresses, as MariaDB's does. */
    public static final class Other implements Driver {
        @Override
        public boolean acceptsURL(String url) {
            return url.startsWith("jdbc:mariadb:");
        }

        @Override
        public Connection connect(String url, Properties info) {
            throw new UnsupportedOperationException();
        }

        @Override
        public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) {
            return new DriverPropertyInfo[0];
        }

        @Override
        public int getMajorVersion() {
            return 1;
        }

        @Override
        public int getMinorVersion() {
            return 0;
        }

        @Override
        public boolean jdbcCompliant() {
            return false;
        }

        @Override
        public Logger getParentLogger() {
            return Logger.getGlobal();
        }
    }

    /** A loader that has the classes of this test but, of drivers, only those that a folder's service file names. */
    private static URLClassLoader only(Path folder, String services) throws IOException {
        Path file = Files.createDirectories(folder.resolve("META-INF/services")).resolve("java.sql.Driver");
        Files.writeString(file, services);
        ClassLoader tests = JdbcDriverTest.class.getClassLoader();
        return new URLClassLoader(new URL[] {folder.toUri().toURL()}, ClassLoader.getPlatformClassLoader()) {
            @Override
            protected Class<?> findClass(String name) throws ClassNotFoundException {
                if (name.startsWith("com.mysql.")) {
                    throw new ClassNotFoundException(name);
                }
                return tests.loadClass(name);
            }
        };
    }

    @Test
    void connectorJIsTakenWhereItIsThereWithoutBeingRegistered() throws Exception {
        JdbcDriver found = JdbcDriver.find(URL, getClass().getClassLoader());
        assertEquals(
                "com.mysql.cj.jdbc.NonRegisteringDriver",
                found.driver().getClass().getName());
        assertEquals(URL, found.url());
    }

    @Test
    void anotherDriverInItsPlaceIsGivenTheAddressAsItWritesIt(@TempDir Path folder) throws Exception {
        try (URLClassLoader loader = only(folder, Other.class.getName())) {
            JdbcDriver found = JdbcDriver.find(URL, loader);
            assertEquals(Other.class, found.driver().getClass());
            assertEquals("jdbc:mariadb://ld.example:33060/default", found.url());
        }
    }

    @Test
    void anImageWithoutADriverIsSaidToTheUser(@TempDir Path folder) throws Exception {
        try (URLClassLoader loader = only(folder, "")) {
            UserError error = assertThrows(UserError.class, () -> JdbcDriver.find(URL, loader));
            assertTrue(error.getMessage().contains("holds no JDBC driver"), error.getMessage());
        }
    }
}
