// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Reads options and checks their range. Every error names the key, the value and what is allowed.
 */
@Internal
final class OptionValues {

    /** The longest duration whose milliseconds can still be added to a timestamp. */
    private static final Duration MAX_DURATION = Duration.ofDays(36_500);

    private OptionValues() {}

    static int inRange(ReadableConfig options, ConfigOption<Integer> option, int min, int max) {
        int value = value(options, option);
        if (value < min || value > max) {
            throw illegal(option, value, min + " to " + max);
        }
        return value;
    }

    static Duration inRange(ReadableConfig options, ConfigOption<Duration> option, int minMillis) {
        Duration value = value(options, option);
        if (value.compareTo(Duration.ofMillis(minMillis)) < 0
                || value.compareTo(MAX_DURATION) > 0) {
            throw illegal(option, value, minMillis + " ms to " + MAX_DURATION.toDays() + " d");
        }
        return value;
    }

    static <T> T value(ReadableConfig options, ConfigOption<T> option) {
        try {
            return options.get(option);
        } catch (IllegalArgumentException e) {
            String why = e.getCause() == null ? "" : " " + e.getCause().getMessage();
            throw new IllegalConfigurationException(e.getMessage() + why, e);
        }
    }

    static IllegalConfigurationException illegal(
            ConfigOption<?> option, Object value, String allowed) {
        return new IllegalConfigurationException(
                "%s is %s; allowed: %s".formatted(option.key(), value, allowed));
    }
}
