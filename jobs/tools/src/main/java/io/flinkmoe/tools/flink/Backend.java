// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import java.util.Locale;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;

/** Where a job keeps its keyed state. */
@Internal
public enum Backend {
    HEAP("hashmap", false),
    /** On disk; its checkpoints are incremental. */
    ROCKSDB("rocksdb", true);

    private final String type;
    private final boolean incremental;

    Backend(String type, boolean incremental) {
        this.type = type;
        this.incremental = incremental;
    }

    /** Sets the options of a job. */
    public void configure(Configuration options) {
        options.set(StateBackendOptions.STATE_BACKEND, type);
        options.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, incremental);
    }

    /** As options write it: rocksdb. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
