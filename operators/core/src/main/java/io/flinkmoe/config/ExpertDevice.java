// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import io.flinkmoe.onnx.Device;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.externalresource.ExternalResourceInfo;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.configuration.IllegalConfigurationException;

/**
 * The device that runs the experts, as configured. Each subtask finds its GPU on its task manager.
 *
 * @param kind the CPU or CUDA
 * @param resource the name of the task managers' external resource that provides the GPUs
 * @param memoryBytes the maximum GPU memory of each expert, in bytes; 0: no limit
 */
@Internal
public record ExpertDevice(PlacementOptions.Device kind, String resource, long memoryBytes)
        implements Serializable {

    public static final ExpertDevice CPU = new ExpertDevice(PlacementOptions.Device.CPU, "gpu", 0);

    /** The property in which Flink's GPU driver reports the number of a GPU. */
    private static final String INDEX = "index";

    /**
     * Returns the device of a subtask. All slots of a task manager see the same GPUs; subtask i
     * uses the one at index i modulo their count.
     *
     * @throws IllegalConfigurationException if the task manager has no such resource
     */
    public Device of(RuntimeContext context) {
        if (kind == PlacementOptions.Device.CPU) {
            return Device.CPU;
        }
        Set<ExternalResourceInfo> infos = context.getExternalResourceInfos(resource);
        if (infos.isEmpty()) {
            throw new IllegalConfigurationException(
                    "%1$s is cuda, but this task manager has no external resource '%2$s'. Configure the task managers with external-resources: %2$s; external-resource.%2$s.amount: 1 (its GPUs); external-resource.%2$s.driver-factory.class: org.apache.flink.externalresource.gpu.GPUDriverFactory. Or name another resource with %3$s"
                            .formatted(
                                    PlacementOptions.DEVICE.key(),
                                    resource,
                                    PlacementOptions.DEVICE_RESOURCE.key()));
        }
        int[] gpus = new int[infos.size()];
        int count = 0;
        for (ExternalResourceInfo info : infos) {
            gpus[count++] = index(info);
        }
        Arrays.sort(gpus);
        int subtask = context.getTaskInfo().getIndexOfThisSubtask();
        return Device.cuda(gpus[subtask % gpus.length], memoryBytes);
    }

    private int index(ExternalResourceInfo info) {
        String index = info.getProperty(INDEX).orElse("missing");
        try {
            return Integer.parseUnsignedInt(index);
        } catch (NumberFormatException e) {
            throw new IllegalConfigurationException(
                    "the property '%s' of the external resource '%s' (%s) is %s; allowed: the number of a GPU, as Flink's GPU driver reports it"
                            .formatted(
                                    INDEX, resource, PlacementOptions.DEVICE_RESOURCE.key(), index),
                    e);
        }
    }
}
