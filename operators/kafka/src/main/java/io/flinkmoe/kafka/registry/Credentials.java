// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Objects;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/** How a client authenticates itself to a registry. Its text shows no secret. */
@PublicEvolving
public final class Credentials implements Serializable {

    private static final long serialVersionUID = 1L;

    /** No authentication. */
    public static final Credentials NONE = new Credentials(null);

    /** The value of the header {@code Authorization}; null without authentication. */
    private final String header;

    private Credentials(String header) {
        this.header = header;
    }

    /** Basic authentication. */
    public static Credentials basic(String user, String password) {
        byte[] pair = (user + ':' + password).getBytes(StandardCharsets.UTF_8);
        return new Credentials("Basic " + Base64.getEncoder().encodeToString(pair));
    }

    /** Bearer authentication. */
    public static Credentials bearer(String token) {
        return new Credentials("Bearer " + token);
    }

    Optional<String> header() {
        return Optional.ofNullable(header);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Credentials that && Objects.equals(header, that.header);
    }

    @Override
    public int hashCode() {
        return Objects.hashCode(header);
    }

    @Override
    public String toString() {
        return header == null ? "none" : header.substring(0, header.indexOf(' ')) + " ***";
    }
}
