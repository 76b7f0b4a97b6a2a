// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.scoring.ChangesOfWindows;
import io.flinkmoe.scoring.RocksDbForWindows;
import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.StateChangelogOptions;
import org.apache.flink.state.rocksdb.RocksDBConfigurableOptions;
import org.rocksdb.CompressionType;

/** The state backends that are measured. */
@Internal
enum Backend {
    /** The heap, with Flink's log of what has changed, as the scoring job uses it. */
    HEAP("hashmap", true),
    /** The heap without a log: each checkpoint contains the whole state. */
    UNLOGGED("hashmap", false),
    ROCKSDB("rocksdb", false);

    private final String option;
    private final boolean logsChanges;

    Backend(String option, boolean logsChanges) {
        this.option = option;
        this.logsChanges = logsChanges;
    }

    /** Sets Flink's options. */
    void chooseIn(Configuration options, ReadableConfig cluster, Capacity capacity) {
        options.set(StateBackendOptions.STATE_BACKEND, option);
        RocksDbForWindows.setDefaults(options, options);
        if (logsChanges) {
            ChangesOfWindows.setDefaults(options, cluster, capacity, warning -> {});
        }
    }

    /** Lets checkpoints contain the whole state as it was written, and not less. */
    void makeFullIn(Configuration options) {
        options.set(StateChangelogOptions.ENABLE_STATE_CHANGE_LOG, false);
        options.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, false);
        options.set(ExecutionOptions.SNAPSHOT_COMPRESSION, false);
        if (this == ROCKSDB) {
            // A full checkpoint consists of RocksDB's files.
            options.set(
                    RocksDBConfigurableOptions.COMPRESSION_PER_LEVEL,
                    List.of(CompressionType.NO_COMPRESSION));
        }
    }

    /** Whether the state is on the heap. */
    boolean isOnHeap() {
        return this != ROCKSDB;
    }

    /**
     * Whether a checkpoint contains all that has changed since the last one, and only that. A log
     * of changes is written all the time; Flink counts only what a checkpoint adds to it.
     */
    boolean isIncremental() {
        return this == ROCKSDB;
    }

    /** The name in tables, JSON and options. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
