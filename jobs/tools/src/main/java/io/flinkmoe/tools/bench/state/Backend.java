// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import java.util.Locale;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;

/** The state backends that are measured. */
@Internal
enum Backend {
    HEAP("hashmap"),
    ROCKSDB("rocksdb");

    private final String option;

    Backend(String option) {
        this.option = option;
    }

    /** Sets Flink's option. */
    void chooseIn(Configuration options) {
        options.set(StateBackendOptions.STATE_BACKEND, option);
    }

    /** Whether a checkpoint can contain only what has changed. */
    boolean isIncremental() {
        return this == ROCKSDB;
    }

    /** The name in tables, JSON and options. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
