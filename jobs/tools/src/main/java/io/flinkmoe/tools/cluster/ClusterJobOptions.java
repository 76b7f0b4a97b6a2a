// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import io.flinkmoe.scoring.ChangesOfWindows;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.client.deployment.executors.RemoteExecutor;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.StateChangelogOptions;

/** The options of a job that runs on a local cluster. */
@Internal
final class ClusterJobOptions {

    private ClusterJobOptions() {}

    /**
     * Adds what the cluster decides.
     *
     * @param job the job's own options
     * @param options the cluster's options
     * @param jobJar contains the job's classes
     */
    static Configuration of(Configuration job, Configuration options, Path jobJar) {
        Configuration all = new Configuration();
        all.set(CoreOptions.DEFAULT_PARALLELISM, options.get(CoreOptions.DEFAULT_PARALLELISM));
        all.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                options.get(CheckpointingOptions.CHECKPOINTS_DIRECTORY));
        for (ConfigOption<String> ofLog :
                List.of(
                        StateChangelogOptions.STATE_CHANGE_LOG_STORAGE,
                        ChangesOfWindows.BASE_PATH)) {
            all.set(ofLog, options.get(ofLog));
        }
        all.addAll(job);
        // The job cannot change the address of the cluster.
        options.toMap()
                .forEach(
                        (key, value) -> {
                            if (key.startsWith("high-availability") || key.startsWith("rest.")) {
                                all.setString(key, value);
                            }
                        });
        all.set(DeploymentOptions.TARGET, RemoteExecutor.NAME);
        all.set(DeploymentOptions.ATTACHED, false);
        all.set(PipelineOptions.JARS, List.of(jobJar.toUri().toString()));
        return all;
    }
}
