// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;

/** Collects what is wrong with options. No message has a secret. */
@Internal
public final class Refusals {

    private final ReadableConfig options;
    private final List<String> errors = new ArrayList<>();

    public Refusals(ReadableConfig options) {
        this.options = options;
    }

    /** What is wrong, one error each. */
    public List<String> errors() {
        return errors;
    }

    void add(String message, Object... arguments) {
        errors.add(message.formatted(arguments));
    }

    boolean has(ConfigOption<?> option) {
        return options.getOptional(option).isPresent();
    }

    /** The text that is given for an option; empty if there is none. */
    String text(ConfigOption<String> option) {
        return options.getOptional(option).orElse("").strip();
    }

    /** Refuses any value of an option, because another one has a value. */
    public void refuse(ConfigOption<?> option, ConfigOption<?> with, Object value, String reason) {
        refuse(option, "with %s: %s".formatted(with.key(), value), reason);
    }

    /**
     * Refuses any value of an option.
     *
     * @param when in which case
     */
    void refuse(ConfigOption<?> option, String when, String reason) {
        if (has(option)) {
            add(
                    "%s is %s; allowed %s: no value, because %s",
                    option.key(), shown(option), when, reason);
        }
    }

    private Object shown(ConfigOption<?> option) {
        // A URL can have a password.
        if (RegistryOptions.isSecret(option) || option.equals(RegistryOptions.URL)) {
            return "set";
        }
        Object value = options.get(option);
        return value instanceof Map<?, ?> map ? new TreeSet<>(map.keySet()) : value;
    }
}
