// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import io.flinkmoe.scoring.ChangesOfWindows;
import io.flinkmoe.tools.flink.BlockBuffers;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.BlobServerOptions;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.HeartbeatManagerOptions;
import org.apache.flink.configuration.HighAvailabilityOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.configuration.WebOptions;

/**
 * The size of a local cluster.
 *
 * @param jobManagers the number of JobManagers; all but the leader are standbys
 * @param taskManagers the number of task managers
 * @param slots the slots per task manager
 * @param heap the Java heap of each task manager
 * @param network the network memory of each task manager
 */
@Internal
public record ClusterSettings(
        int jobManagers, int taskManagers, int slots, MemorySize heap, MemorySize network) {

    /** The part of a task manager's heap that Flink itself uses. */
    private static final MemorySize FRAMEWORK_HEAP = MemorySize.ofMebiBytes(128);

    private static final MemorySize SMALLEST_NETWORK = MemorySize.ofMebiBytes(16);

    private static final String HOST = "127.0.0.1";

    /** A cluster with the default network memory. */
    public ClusterSettings(int jobManagers, int taskManagers, int slots, MemorySize heap) {
        this(jobManagers, taskManagers, slots, heap, BlockBuffers.NETWORK);
    }

    /**
     * @throws IllegalConfigurationException if a value is too small
     */
    public ClusterSettings {
        checkPositive("JobManagers", jobManagers);
        checkPositive("task managers", taskManagers);
        checkPositive("slots", slots);
        if (heap.compareTo(FRAMEWORK_HEAP.multiply(2)) < 0) {
            throw new IllegalConfigurationException(
                    "a task manager's heap is %s; allowed: %s or more"
                            .formatted(heap, FRAMEWORK_HEAP.multiply(2)));
        }
        if (network.compareTo(SMALLEST_NETWORK) < 0) {
            throw new IllegalConfigurationException(
                    "a task manager's network memory is %s; allowed: %s or more"
                            .formatted(network, SMALLEST_NETWORK));
        }
    }

    private static void checkPositive(String what, int count) {
        if (count < 1) {
            throw new IllegalConfigurationException(
                    "%d %s; allowed: 1 or more".formatted(count, what));
        }
    }

    /**
     * Flink's options for the cluster. Only this machine can reach it, and it detects lost
     * processes quickly.
     *
     * @param folder the cluster's folder
     * @param zooKeeperPort the port of ZooKeeper
     * @param webPort the port of the JobManager's REST API and web UI
     */
    Configuration flinkOptions(Path folder, int zooKeeperPort, int webPort) {
        Configuration options = new Configuration();
        options.set(JobManagerOptions.ADDRESS, HOST);
        options.set(JobManagerOptions.BIND_HOST, HOST);
        options.set(BlobServerOptions.PORT, "0");
        options.set(RestOptions.ADDRESS, HOST);
        options.set(RestOptions.BIND_ADDRESS, HOST);
        // The REST API returns the current state, not one from some seconds ago.
        options.set(RestOptions.CACHE_CHECKPOINT_STATISTICS_TIMEOUT, Duration.ofMillis(10));
        options.set(WebOptions.REFRESH_INTERVAL, Duration.ofMillis(200));
        options.set(RestOptions.PORT, webPort);
        options.set(WebOptions.SUBMIT_ENABLE, false); // Jars would run with this user's rights.
        options.set(TaskManagerOptions.HOST, HOST);
        options.set(TaskManagerOptions.BIND_HOST, HOST);
        options.set(TaskManagerOptions.NUM_TASK_SLOTS, slots);
        options.set(CoreOptions.DEFAULT_PARALLELISM, taskManagers * slots);

        options.set(TaskManagerOptions.FRAMEWORK_HEAP_MEMORY, FRAMEWORK_HEAP);
        options.set(TaskManagerOptions.TASK_HEAP_MEMORY, heap.subtract(FRAMEWORK_HEAP));
        // For the direct buffers of model runs. The JVM does not count ONNX Runtime's own memory.
        options.set(TaskManagerOptions.TASK_OFF_HEAP_MEMORY, MemorySize.ofMebiBytes(256));
        options.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(128));
        options.set(TaskManagerOptions.NETWORK_MEMORY_MIN, network);
        options.set(TaskManagerOptions.NETWORK_MEMORY_MAX, network);
        BlockBuffers.setDefaults(options);

        options.set(HighAvailabilityOptions.HA_MODE, "zookeeper");
        options.set(HighAvailabilityOptions.HA_ZOOKEEPER_QUORUM, HOST + ":" + zooKeeperPort);
        options.set(HighAvailabilityOptions.HA_STORAGE_PATH, uri(folder.resolve("ha")));
        options.set(HighAvailabilityOptions.HA_CLUSTER_ID, "/flink-moe");
        options.set(HighAvailabilityOptions.ZOOKEEPER_SESSION_TIMEOUT, Duration.ofSeconds(5));
        options.set(HighAvailabilityOptions.ZOOKEEPER_CONNECTION_TIMEOUT, Duration.ofSeconds(5));
        options.set(HighAvailabilityOptions.ZOOKEEPER_TOLERATE_SUSPENDED_CONNECTIONS, true);
        // Processes end when they give up; the time between attempts doubles. These are minutes.
        options.set(HighAvailabilityOptions.ZOOKEEPER_RETRY_WAIT, Duration.ofSeconds(1));
        options.set(HighAvailabilityOptions.ZOOKEEPER_MAX_RETRY_ATTEMPTS, 10);
        options.set(HeartbeatManagerOptions.HEARTBEAT_INTERVAL, Duration.ofSeconds(2));
        options.set(HeartbeatManagerOptions.HEARTBEAT_TIMEOUT, Duration.ofSeconds(20));

        options.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, uri(folder.resolve("checkpoints")));
        options.set(CheckpointingOptions.SAVEPOINT_DIRECTORY, uri(folder.resolve("savepoints")));
        ChangesOfWindows.store(options, uri(folder.resolve("changes")));
        options.set(CoreOptions.TMP_DIRS, folder.resolve("tmp").toString());
        return options;
    }

    private static String uri(Path folder) {
        return folder.toUri().toString();
    }
}
