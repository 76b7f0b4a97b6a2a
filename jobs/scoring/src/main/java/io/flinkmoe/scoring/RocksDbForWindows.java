// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import java.io.File;
import java.util.Collection;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.state.rocksdb.RocksDBConfigurableOptions;
import org.apache.flink.state.rocksdb.RocksDBOptions;
import org.apache.flink.state.rocksdb.RocksDBOptionsFactory;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;

/**
 * RocksDB for tokens that wait for the close of their window: they are written once, read once and
 * deleted. Each checkpoint flushes a file to level 0. RocksDB's default compacts level 0 whenever
 * it has four files: that writes the waiting tokens again and again, and the next incremental
 * checkpoint contains all that was rewritten. With more files in level 0, most tokens are deleted
 * before they are compacted; Bloom filters keep reads fast.
 *
 * <p>The task waits while a checkpoint flushes. Without the atomic flush, RocksDB flushes the
 * states of an operator one after another, and waits for the disk several times for each.
 *
 * <p>RocksDB's own log stays in the folder of the database, unless an option moves it.
 */
@Internal
public final class RocksDbForWindows implements RocksDBOptionsFactory {

    private static final long serialVersionUID = 1L;

    private static final String ROCKSDB = "rocksdb";

    private static final int FILES_TO_COMPACT = 32;
    private static final int FILES_TO_SLOW_DOWN = 96;
    private static final int FILES_TO_STOP = 128;

    /** Otherwise the end of a flush waits until the disk has all of the file. */
    private static final long BYTES_PER_SYNC = 1 << 20;

    /**
     * A checkpoint copies what compactions have written since the last one. A compaction of level 0
     * writes all of level 1, one of level 1 a file and what overlaps it in level 2.
     */
    private static final MemorySize LEVEL_1 = MemorySize.ofMebiBytes(32);

    private static final MemorySize FILE = MemorySize.ofMebiBytes(4);

    /** RocksDB uses a quarter of them for flushes, for all operators of a process together. */
    private static final int BACKGROUND_THREADS = 8;

    /**
     * Sets the options of a job with state in RocksDB, unless they are set already. Other jobs do
     * not need RocksDB on their class path.
     *
     * @param cluster the options that apply unless the job sets them
     */
    public static void setDefaults(Configuration job, ReadableConfig cluster) {
        String backend =
                job.getOptional(StateBackendOptions.STATE_BACKEND)
                        .orElseGet(() -> cluster.get(StateBackendOptions.STATE_BACKEND));
        if (ROCKSDB.equals(backend)) {
            String factory = RocksDbForWindows.class.getName();
            setDefault(job, cluster, RocksDBOptions.OPTIONS_FACTORY, factory);
            setDefault(
                    job,
                    cluster,
                    RocksDBConfigurableOptions.MAX_BACKGROUND_THREADS,
                    BACKGROUND_THREADS);
            setDefault(job, cluster, RocksDBConfigurableOptions.USE_BLOOM_FILTER, true);
            if (!isSet(job, cluster, RocksDBOptions.PREDEFINED_OPTIONS)) { // They have sizes.
                setDefault(job, cluster, RocksDBConfigurableOptions.MAX_SIZE_LEVEL_BASE, LEVEL_1);
                setDefault(job, cluster, RocksDBConfigurableOptions.TARGET_FILE_SIZE_BASE, FILE);
            }
        }
    }

    private static <T> void setDefault(
            Configuration job, ReadableConfig cluster, ConfigOption<T> option, T value) {
        if (!isSet(job, cluster, option)) {
            job.set(option, value);
        }
    }

    private static boolean isSet(
            Configuration job, ReadableConfig cluster, ConfigOption<?> option) {
        return job.contains(option) || cluster.getOptional(option).isPresent();
    }

    @Override
    public DBOptions createDBOptions(DBOptions options, Collection<AutoCloseable> toClose) {
        if (isInFlinksLogFolder(options.dbLogDir())) {
            options.setDbLogDir("");
        }
        return options.setAtomicFlush(true).setBytesPerSync(BYTES_PER_SYNC);
    }

    /**
     * Whether Flink has moved RocksDB's log to its own. RocksDB then names the file after the whole
     * path of the database. Flink checks that this name is not too long, but not for the longer
     * paths of the databases that a restart at another parallelism reads, and the restart fails.
     */
    private static boolean isInFlinksLogFolder(String folder) {
        String log = System.getProperty("log.file");
        return log != null && folder.equals(new File(log).getParent());
    }

    @Override
    public ColumnFamilyOptions createColumnOptions(
            ColumnFamilyOptions options, Collection<AutoCloseable> toClose) {
        return options.setLevel0FileNumCompactionTrigger(FILES_TO_COMPACT)
                .setLevel0SlowdownWritesTrigger(FILES_TO_SLOW_DOWN)
                .setLevel0StopWritesTrigger(FILES_TO_STOP);
    }
}
