// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.jobmanager.HighAvailabilityMode;
import org.apache.flink.runtime.jobmanager.JobManagerProcessUtils;

/**
 * What the Flink Kubernetes Operator asks of a new FlinkDeployment beyond its schema, as its {@code
 * DefaultValidator} (1.15) does, and that Flink finds room for all that the memory is split into.
 */
final class OperatorRules {

    private static final String NAME = "[a-z]([-a-z0-9]{0,43}[a-z0-9])?";

    private static final Set<String> FORBIDDEN =
            Set.of("kubernetes.namespace", "kubernetes.cluster-id", "high-availability.cluster-id");

    private static final String ROLLBACK = "kubernetes.operator.deployment.rollback.enabled";
    private static final String SAVEPOINTS = "kubernetes.operator.periodic.savepoint.interval";

    private OperatorRules() {}

    /** What is wrong with a deployment of one application. */
    static List<String> errors(Manifest manifest) {
        List<String> errors = new ArrayList<>();
        Map<String, String> options = manifest.flinkConfiguration();
        if (!manifest.text("/metadata/name").matches(NAME)) {
            errors.add("name: must match " + NAME);
        }
        if (manifest.text("/spec/flinkVersion").isEmpty()) {
            errors.add("flinkVersion: must be defined");
        }
        if (manifest.text("/spec/serviceAccount").isEmpty()) {
            errors.add("serviceAccount: must be defined");
        }
        options.keySet().stream()
                .filter(FORBIDDEN::contains)
                .forEach(key -> errors.add("forbidden key " + key));
        job(manifest, options, errors);
        highAvailability(manifest, options, errors);
        memory(manifest, options, errors);
        return errors;
    }

    private static void job(Manifest manifest, Map<String, String> options, List<String> errors) {
        if (manifest.text("/spec/job/jarURI").isEmpty()) {
            errors.add("job.jarURI: must be defined");
        }
        if (manifest.at("/spec/job/parallelism").asInt() < 1) {
            errors.add("job.parallelism: must be larger than 0");
        }
        if (!manifest.text("/spec/job/state").equals("running")) {
            errors.add("job.state: must start in running state");
        }
        String upgradeMode = manifest.text("/spec/job/upgradeMode");
        if (!upgradeMode.equals("stateless")
                && !options.containsKey(CheckpointingOptions.CHECKPOINTS_DIRECTORY.key())) {
            errors.add("checkpoint directory: must be defined for " + upgradeMode);
        }
        boolean savepoints = upgradeMode.equals("savepoint") || options.containsKey(SAVEPOINTS);
        if (savepoints && !options.containsKey(CheckpointingOptions.SAVEPOINT_DIRECTORY.key())) {
            errors.add("savepoint directory: must be defined");
        }
    }

    private static void highAvailability(
            Manifest manifest, Map<String, String> options, List<String> errors) {
        if (HighAvailabilityMode.isHighAvailabilityModeActivated(Configuration.fromMap(options))) {
            return;
        }
        if (manifest.text("/spec/job/upgradeMode").equals("last-state")) {
            errors.add("high availability: needed for last-state");
        }
        if (manifest.at("/spec/jobManager/replicas").asInt(1) > 1) {
            errors.add("high availability: needed for standby job managers");
        }
        if (Boolean.parseBoolean(options.get(ROLLBACK))) {
            errors.add("high availability: needed for rollback");
        }
    }

    /** The operator makes the pods' memory Flink's {@code process.size}. */
    private static void memory(
            Manifest manifest, Map<String, String> options, List<String> errors) {
        Configuration configuration = Configuration.fromMap(options);
        try {
            configuration.set(
                    TaskManagerOptions.TOTAL_PROCESS_MEMORY,
                    MemorySize.parse(manifest.text("/spec/taskManager/resource/memory")));
            TaskExecutorProcessUtils.processSpecFromConfig(configuration);
        } catch (RuntimeException e) {
            errors.add("taskManager.resource.memory: " + e.getMessage());
        }
        try {
            configuration.set(
                    JobManagerOptions.TOTAL_PROCESS_MEMORY,
                    MemorySize.parse(manifest.text("/spec/jobManager/resource/memory")));
            JobManagerProcessUtils.processSpecFromConfig(configuration);
        } catch (RuntimeException e) {
            errors.add("jobManager.resource.memory: " + e.getMessage());
        }
    }
}
