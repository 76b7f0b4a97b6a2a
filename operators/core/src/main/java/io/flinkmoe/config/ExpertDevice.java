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
 * The device that experts run on, as the options say; which GPU that is shows on the task manager.
 *
 * @param kind the CPU or CUDA
 * @param resource the name of the task manager's external resource that the GPUs are
 * @param memoryBytes the most GPU memory of each expert; 0: no limit
 */
@Internal
public record ExpertDevice(PlacementOptions.Device kind, String resource, long memoryBytes)
        implements Serializable {

    public static final ExpertDevice CPU = new ExpertDevice(PlacementOptions.Device.CPU, "gpu", 0);

    /** The property by which Flink's GPU driver names a GPU. */
    private static final String INDEX = "index";

    /**
     * The device of a subtask: of the task manager's GPUs, which all its slots see, one by the
     * subtask's number.
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
                    "%1$s is cuda, but this task manager has no external resource '%2$s'. Set for task managers external-resources: %2$s; external-resource.%2$s.amount: 1 (its GPUs); external-resource.%2$s.driver-factory.class: org.apache.flink.externalresource.gpu.GPUDriverFactory. Or name another resource with %3$s"
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
                    "the property '%s' of the external resource '%s', which %s names, is %s; allowed: a GPU's number, as of Flink's GPU driver"
                            .formatted(
                                    INDEX, resource, PlacementOptions.DEVICE_RESOURCE.key(), index),
                    e);
        }
    }
}
