// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.state.rocksdb.RocksDBConfigurableOptions;
import org.rocksdb.CompressionType;

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

    /** Lets checkpoints contain what was written, and not less. */
    void disableCompressionIn(Configuration options) {
        options.set(ExecutionOptions.SNAPSHOT_COMPRESSION, false);
        if (this == ROCKSDB) {
            // A full checkpoint consists of RocksDB's files.
            options.set(
                    RocksDBConfigurableOptions.COMPRESSION_PER_LEVEL,
                    List.of(CompressionType.NO_COMPRESSION));
        }
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
