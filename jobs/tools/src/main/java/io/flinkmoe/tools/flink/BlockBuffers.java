// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;

/**
 * Network buffers that hold a few blocks, which are up to 1 MiB. With Flink's default of 32 KiB,
 * less than one block is in flight between a router and its experts, and the experts wait for each
 * other.
 */
@Internal
public final class BlockBuffers {

    static final MemorySize SEGMENT = MemorySize.ofMebiBytes(1).divide(4);

    /** The network memory of a task manager of a job with a few layers. */
    public static final MemorySize NETWORK = MemorySize.ofMebiBytes(256);

    private BlockBuffers() {}

    /** Sets the options of a task manager, unless they are set already. */
    public static void setDefaults(Configuration options) {
        setDefault(options, TaskManagerOptions.MEMORY_SEGMENT_SIZE, SEGMENT);
        setDefault(options, TaskManagerOptions.NETWORK_MEMORY_MIN, NETWORK);
        setDefault(options, TaskManagerOptions.NETWORK_MEMORY_MAX, NETWORK);
    }

    static void setDefault(
            Configuration options, ConfigOption<MemorySize> option, MemorySize value) {
        if (!options.contains(option)) {
            options.set(option, value);
        }
    }
}
