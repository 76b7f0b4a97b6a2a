// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.kafka.registry.Credentials;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.registry.TrustStore;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/** Makes of the {@link RegistryOptions} what reaches a registry. */
@Internal
final class RegistryAccess {

    private RegistryAccess() {}

    /**
     * @throws IllegalConfigurationException if a URL is unusable; the message has no secret
     */
    static RegistrySettings settings(ReadableConfig options) {
        String store = options.get(RegistryOptions.TRUST_STORE);
        TrustStore trust =
                store == null
                        ? null
                        : new TrustStore(store, options.get(RegistryOptions.TRUST_STORE_PASSWORD));
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
