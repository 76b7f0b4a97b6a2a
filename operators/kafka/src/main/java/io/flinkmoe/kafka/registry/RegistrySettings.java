// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.io.Serializable;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How a registry is reached. Its text shows no secret.
 *
 * @param urls the base URLs of its Confluent API, all of one registry
 * @param credentials how the client authenticates itself
 * @param trustStore the certificates that it trusts; null: those of the Java installation
 */
@PublicEvolving
public record RegistrySettings(List<URI> urls, Credentials credentials, TrustStore trustStore)
        implements Serializable {

    /**
     * @throws IllegalArgumentException if there is no URL, or an unusable one; the message shows no
     *     credentials in it
     */
    public RegistrySettings {
        urls = List.copyOf(urls);
        if (urls.isEmpty()) {
            throw new IllegalArgumentException("there is no URL; allowed: one or more");
        }
        urls.forEach(RegistrySettings::check);
    }

    /**
     * Reads URLs.
     *
     * @throws IllegalArgumentException if one is unusable
     */
    public static List<URI> urls(List<String> texts) {
        List<URI> urls = new ArrayList<>();
        for (String text : texts) {
            try {
                urls.add(URI.create(text.strip().replaceFirst("/+$", "")));
            } catch (IllegalArgumentException e) {
                // The exception of Java quotes the text, which can contain a password.
                throw new IllegalArgumentException(
                        "a URL is malformed; allowed: such as http://host:8081");
            }
        }
        return urls;
    }

    private static void check(URI url) {
        if (url.getRawUserInfo() != null) {
            throw new IllegalArgumentException(
                    "the URL of %s contains credentials; give them separately"
                            .formatted(url.getHost()));
        }
        boolean isHttp = "http".equals(url.getScheme()) || "https".equals(url.getScheme());
        if (!isHttp || url.getHost() == null) {
            throw new IllegalArgumentException(
                    "a URL begins with %s: and has %s; allowed: such as http://host:8081"
                            .formatted(
                                    url.getScheme(),
                                    url.getHost() == null
                                            ? "no host"
                                            : "the host " + url.getHost()));
        }
    }

    Optional<TrustStore> trust() {
        return Optional.ofNullable(trustStore);
    }
}
