package io.flinkmoe.tools.flink;

import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;

/**
 * Network buffers that hold a few blocks, which are up to 1 MiB: with Flink's own 32 KiB less than
 * one is under way from a router to its experts, which then wait for each other.
 */
@Internal
public final class BlockBuffers {

    private static final MemorySize SEGMENT = MemorySize.ofMebiBytes(1).divide(4);
    private static final MemorySize NETWORK = MemorySize.ofMebiBytes(256);

    private BlockBuffers() {}

    /** Sets them for a task manager, as far as its options do not say otherwise. */
    public static void setDefaults(Configuration options) {
        setDefault(options, TaskManagerOptions.MEMORY_SEGMENT_SIZE, SEGMENT);
        setDefault(options, TaskManagerOptions.NETWORK_MEMORY_MIN, NETWORK);
        setDefault(options, TaskManagerOptions.NETWORK_MEMORY_MAX, NETWORK);
    }

    private static void setDefault(
            Configuration options, ConfigOption<MemorySize> option, MemorySize value) {
        if (!options.contains(option)) {
            options.set(option, value);
        }
    }
}
