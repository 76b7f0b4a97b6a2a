// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.state.rocksdb.RocksDBConfigurableOptions;
import org.apache.flink.state.rocksdb.RocksDBOptions;
import org.apache.flink.state.rocksdb.RocksDBOptionsFactory;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;
import org.rocksdb.RocksDB;

class RocksDbForWindowsTest {

    private final Configuration job = new Configuration();
    private final Configuration cluster = new Configuration();

    @Test
    void appliesToJobsWithStateInRocksDb() throws Exception {
        cluster.set(StateBackendOptions.STATE_BACKEND, "rocksdb");
        RocksDbForWindows.setDefaults(job, cluster);
        RocksDB.loadLibrary();
        RocksDBOptionsFactory factory =
                InstantiationUtil.instantiate(
                        job.get(RocksDBOptions.OPTIONS_FACTORY),
                        RocksDBOptionsFactory.class,
                        getClass().getClassLoader());
        List<AutoCloseable> toClose = new ArrayList<>();
        try (DBOptions db = new DBOptions();
                ColumnFamilyOptions states = new ColumnFamilyOptions()) {
            assertThat(factory.createDBOptions(db, toClose).atomicFlush()).isTrue();
            assertThat(
                            factory.createColumnOptions(states, toClose)
                                    .level0FileNumCompactionTrigger())
                    .isEqualTo(32);
        }
    }

    @Test
    void theLogStaysWithTheDatabaseUnlessTheUserMovesIt() {
        String before = System.getProperty("log.file");
        RocksDB.loadLibrary();
        System.setProperty("log.file", "/logs/taskmanager-1.log");
        try (DBOptions moved = new DBOptions().setDbLogDir("/logs");
                DBOptions mine = new DBOptions().setDbLogDir("/mine")) {
            RocksDbForWindows factory = new RocksDbForWindows();
            assertThat(factory.createDBOptions(moved, new ArrayList<>()).dbLogDir()).isEmpty();
            assertThat(factory.createDBOptions(mine, new ArrayList<>()).dbLogDir())
                    .isEqualTo("/mine");
        } finally {
            if (before == null) {
                System.clearProperty("log.file");
            } else {
                System.setProperty("log.file", before);
            }
        }
    }

    @Test
    void leavesOptionsOfTheJobAndTheClusterAlone() {
        job.set(StateBackendOptions.STATE_BACKEND, "rocksdb");
        job.set(RocksDBConfigurableOptions.MAX_BACKGROUND_THREADS, 3);
        cluster.set(RocksDBOptions.OPTIONS_FACTORY, "their.Factory");
        RocksDbForWindows.setDefaults(job, cluster);
        assertThat(job.get(RocksDBConfigurableOptions.MAX_BACKGROUND_THREADS)).isEqualTo(3);
        assertThat(job.contains(RocksDBOptions.OPTIONS_FACTORY)).isFalse();
        assertThat(job.get(RocksDBConfigurableOptions.USE_BLOOM_FILTER)).isTrue();
        assertThat(job.get(RocksDBConfigurableOptions.MAX_SIZE_LEVEL_BASE).getMebiBytes())
                .isEqualTo(32);
    }

    @Test
    void doesNotApplyToJobsWithStateOnTheHeap() {
        RocksDbForWindows.setDefaults(job, cluster);
        assertThat(job.keySet()).isEmpty();
    }
}
