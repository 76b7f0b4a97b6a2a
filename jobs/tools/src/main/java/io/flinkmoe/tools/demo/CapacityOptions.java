// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeOptions.CapacityPolicy;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.TimeUtils;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The options that limit how many flights an expert executes. */
@Internal
final class CapacityOptions {

    @Option(
            names = "--capacity",
            paramLabel = "C",
            description =
                    "The maximum number of flights per expert and window. Default: no limit. With a"
                            + " capacity, the answers are not compared with the expected ones.")
    private Integer capacity;

    @Option(
            names = "--window",
            paramLabel = "DURATION",
            defaultValue = "1h",
            description = "The window of the capacity, in event time. Default: 1h.")
    private String window;

    void check(CommandSpec spec) {
        if (capacity != null && capacity < 0) {
            throw new ParameterException(
                    spec.commandLine(), "--capacity is %d; allowed: 0 or more".formatted(capacity));
        }
        String allowed = "more than 0";
        try {
            if (!TimeUtils.parseDuration(window).isZero()) {
                return;
            }
        } catch (IllegalArgumentException e) {
            allowed = "a duration such as 10min or 1h";
        }
        throw new ParameterException(
                spec.commandLine(), "--window is '%s'; allowed: %s".formatted(window, allowed));
    }

    /** Whether an expert executes all flights that choose it. */
    boolean isUnlimited() {
        return capacity == null;
    }

    /** The length of a window, in milliseconds. */
    long windowMillis() {
        return TimeUtils.parseDuration(window).toMillis();
    }

    /** Sets the options of the job. */
    void apply(Configuration options) {
        if (capacity != null) {
            options.set(MoeOptions.CAPACITY, CapacityPolicy.FIXED);
            options.set(MoeOptions.CAPACITY_SIZE, capacity);
            options.set(MoeOptions.CAPACITY_WINDOW_SIZE, TimeUtils.parseDuration(window));
        }
    }
}
