// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import java.nio.file.Path;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.runtime.state.TestableKeyedStateBackend;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.state.rocksdb.EmbeddedRocksDBStateBackend;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/** The state backends that give the same bits. */
public enum Backend {
    HEAP {
        @Override
        public StateBackend make() {
            return new HashMapStateBackend();
        }
    },

    /** With timers of its own. */
    ROCKSDB {
        @Override
        public StateBackend make() {
            // What is incremental can be restored from a harness only if it is the first snapshot.
            EmbeddedRocksDBStateBackend backend = new EmbeddedRocksDBStateBackend(false);
            // A harness would leave its directory in /tmp.
            backend.setDbStoragePath(Path.of("target", "rocksdb").toAbsolutePath().toString());
            return backend;
        }
    };

    /** A backend for a harness. */
    public abstract StateBackend make();

    /**
     * How much an operator has in keyed state. On RocksDB timers count too, but their writes (also
     * the deletions) come in batches of 500.
     */
    public static int entries(AbstractStreamOperator<?> operator) {
        return ((TestableKeyedStateBackend<?>) operator.getKeyedStateBackend())
                .numKeyValueStateEntries();
    }

    /** The options that choose it for a job. */
    public void chooseIn(Configuration options) {
        options.set(StateBackendOptions.STATE_BACKEND, this == HEAP ? "hashmap" : "rocksdb");
        options.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, this == ROCKSDB);
    }
}
