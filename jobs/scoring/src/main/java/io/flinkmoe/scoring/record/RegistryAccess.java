// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.kafka.registry.Credentials;
import io.flinkmoe.kafka.registry.RegistryException;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.registry.SchemaRegistry;
import io.flinkmoe.kafka.registry.TrustStore;
import java.io.IOException;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/**
 * The registry that the {@link RegistryOptions} name.
 *
 * @param settings how it is reached
 * @param schemas its schemas
 */
@Internal
record RegistryAccess(RegistrySettings settings, SchemaRegistry schemas) {

    /**
     * Makes sure that the registry answers, if one is used.
     *
     * @throws IllegalConfigurationException if a URL or the trust store is unusable; the message
     *     has no secret
     * @throws IOException if the registry does not answer; the message names the remedy
     */
    static Optional<RegistryAccess> connect(ReadableConfig options) throws IOException {
        if (!RecordOptions.usesRegistry(options)) {
            return Optional.empty();
        }
        RegistrySettings settings = settings(options);
        SchemaRegistry schemas;
        try {
            schemas = new SchemaRegistry(settings);
        } catch (IOException e) {
            throw new IllegalConfigurationException(
                    "%s, %s: %s"
                            .formatted(
                                    RegistryOptions.TRUST_STORE.key(),
                                    RegistryOptions.TRUST_STORE_PASSWORD.key(),
                                    e.getMessage()),
                    e);
        }
        try {
            schemas.ping();
        } catch (RegistryException e) {
            throw new IOException(
                    "the schema registry does not answer: %s; check %s, whether it runs, and %s, %s, %s and %s"
                            .formatted(
                                    e.getMessage(),
                                    RegistryOptions.URL.key(),
                                    RegistryOptions.USER.key(),
                                    RegistryOptions.PASSWORD.key(),
                                    RegistryOptions.TOKEN.key(),
                                    RegistryOptions.TRUST_STORE.key()),
                    e);
        }
        return Optional.of(new RegistryAccess(settings, schemas));
    }

    private static RegistrySettings settings(ReadableConfig options) {
        TrustStore trust =
                options.getOptional(RegistryOptions.TRUST_STORE)
                        .map(
                                store ->
                                        new TrustStore(
                                                store,
                                                options.get(RegistryOptions.TRUST_STORE_PASSWORD)))
                        .orElse(null);
        try {
            return new RegistrySettings(
                    RegistrySettings.urls(options.get(RegistryOptions.URL)),
                    credentials(options),
                    trust);
        } catch (IllegalArgumentException e) {
            throw new IllegalConfigurationException(
                    "%s: %s".formatted(RegistryOptions.URL.key(), e.getMessage()), e);
        }
    }

    private static Credentials credentials(ReadableConfig options) {
        String user = options.get(RegistryOptions.USER);
        String token = options.get(RegistryOptions.TOKEN);
        if (user != null) {
            return Credentials.basic(user, options.get(RegistryOptions.PASSWORD));
        }
        return token == null ? Credentials.NONE : Credentials.bearer(token);
    }
}
