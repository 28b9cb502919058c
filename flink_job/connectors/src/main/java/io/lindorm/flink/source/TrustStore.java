package io.lindorm.flink.source;

import io.lindorm.flink.UserError;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.util.Collection;

/**
 * Certificates as a key store of Java's, which is all that Connector/J reads, for as long as this is open.
 *
 * @param file the store
 */
record TrustStore(Path file) implements AutoCloseable {

    static final String TYPE = "PKCS12";

    /** Certificates are no secret, but a store must have one. */
    static final String PASSWORD = "changeit";

    /**
     * Makes a store of the certificates in a PEM file, as they are by now.
     *
     * @throws UserError where there are none
     */
    static TrustStore of(Path pem) throws IOException {
        Collection<? extends Certificate> certificates;
        try (InputStream in = Files.newInputStream(pem)) {
            certificates = CertificateFactory.getInstance("X.509").generateCertificates(in);
        } catch (IOException | CertificateException e) {
            throw new UserError("'tls.ca-file' " + pem + " cannot be read as certificates in PEM: " + e, e);
        }
        if (certificates.isEmpty()) {
            throw new UserError("'tls.ca-file' " + pem + " holds no certificate");
        }
        TrustStore store = new TrustStore(Files.createTempFile("lindorm-ca", ".p12"));
        try (OutputStream out = Files.newOutputStream(store.file)) {
            KeyStore keys = KeyStore.getInstance(TYPE);
            keys.load(null, null);
            for (Certificate certificate : certificates) {
                keys.setCertificateEntry("ca" + keys.size(), certificate);
            }
            keys.store(out, PASSWORD.toCharArray());
            return store;
        } catch (GeneralSecurityException e) {
            store.close();
            throw new IOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        Files.delete(file);
    }
}
