package io.flinkmoe.config;

import static org.apache.flink.configuration.ConfigOptions.key;

import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.MemorySize;

/** The options that say where experts run: on which device, in which slots. */
@PublicEvolving
public final class PlacementOptions {

    private PlacementOptions() {}

    public static final ConfigOption<Device> DEVICE =
            key("moe.expert.device")
                    .enumType(Device.class)
                    .defaultValue(Device.CPU)
                    .withDescription(
                            "What experts run on: the CPU, or an NVIDIA GPU (cuda), which needs"
                                    + " onnxruntime_gpu in Flink's lib/ and the GPUs as an external"
                                    + " resource of the task managers. All else runs on the CPU.");

    public static final ConfigOption<String> DEVICE_RESOURCE =
            key("moe.expert.device.resource")
                    .stringType()
                    .defaultValue("gpu")
                    .withDescription(
                            "The external resource of the task managers that their GPUs are. A"
                                    + " subtask takes one of them by its number.");

    public static final ConfigOption<MemorySize> DEVICE_MEMORY =
            key("moe.expert.device.memory")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription(
                            "The most GPU memory that each expert takes for weights and buffers"
                                    + " (ONNX Runtime's gpu_mem_limit). Default: no limit.");

    public static final ConfigOption<String> SLOT_SHARING_GROUP =
            key("moe.expert.slot-sharing-group")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The slot sharing group of the experts: with one of their own they do"
                                    + " not share slots with routers and combines.");

    public static final ConfigOption<Double> SLOT_CPU_CORES =
            key("moe.expert.slot.cpu-cores")
                    .doubleType()
                    .noDefaultValue()
                    .withDescription(
                            "CPU cores of a slot of that group, where slots are to be cut by need;"
                                    + " moe.expert.slot.heap then too.");

    public static final ConfigOption<MemorySize> SLOT_HEAP =
            key("moe.expert.slot.heap")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription("Task heap memory of such a slot.");

    public static final ConfigOption<MemorySize> SLOT_OFF_HEAP =
            key("moe.expert.slot.off-heap")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription("Task off-heap memory of such a slot.");

    public static final ConfigOption<Double> SLOT_DEVICES =
            key("moe.expert.slot.devices")
                    .doubleType()
                    .noDefaultValue()
                    .withDescription(
                            "How much of the external resource moe.expert.device.resource such a"
                                    + " slot takes: 1 is a GPU, 0.5 half of one.");

    /** What experts run on. */
    public enum Device {
        CPU,
        CUDA
    }
}
