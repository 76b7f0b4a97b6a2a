// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.io.File;
import java.io.IOException;
import java.io.Serializable;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A file with the certificates that a client trusts. Its text shows no secret.
 *
 * @param location the path of a PKCS12 or JKS file, on every machine that runs the job
 * @param password the password; null if the file has none
 */
@PublicEvolving
public record TrustStore(String location, String password) implements Serializable {

    /**
     * Reads the file.
     *
     * @throws IOException if it cannot be read; the message names the file
     */
    SSLContext context() throws IOException {
        try {
            KeyStore store =
                    KeyStore.getInstance(
                            new File(location), password == null ? null : password.toCharArray());
            TrustManagerFactory trust =
                    TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            return context;
        } catch (IOException | IllegalArgumentException | GeneralSecurityException e) {
            throw new IOException(
                    "cannot read the trust store %s: %s".formatted(location, e.getMessage()), e);
        }
    }

    @Override
    public String toString() {
        return "TrustStore[location=%s, password=***]".formatted(location);
    }
}
