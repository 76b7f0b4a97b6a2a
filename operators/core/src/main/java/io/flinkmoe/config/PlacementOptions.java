// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import static org.apache.flink.configuration.ConfigOptions.key;

import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.MemorySize;

/** The options for where and how models run: the placement, the device, the slots, the calls. */
@PublicEvolving
public final class PlacementOptions {

    private PlacementOptions() {}

    public static final ConfigOption<Placement> PLACEMENT =
            key("moe.expert.placement")
                    .enumType(Placement.class)
                    .defaultValue(Placement.PARTITIONED)
                    .withDescription(
                            "Which subtasks run an expert. 'partitioned': one; the experts are"
                                    + " spread over the subtasks. 'replicated': all; router, experts"
                                    + " and combine of all layers run in one operator, without an"
                                    + " exchange between them; each process holds all experts."
                                    + " 'auto': replicated, unless another option rules it out."
                                    + " Results have the same bits. 'replicated' excludes a capacity,"
                                    + " moe.expert.parallelism, a slot sharing group and GPUs. State"
                                    + " cannot be restored with another placement.");

    public static final ConfigOption<Device> DEVICE =
            key("moe.expert.device")
                    .enumType(Device.class)
                    .defaultValue(Device.CPU)
                    .withDescription(
                            "The device that runs the experts: the CPU, or an NVIDIA GPU"
                                    + " ('cuda'). A GPU requires onnxruntime_gpu in Flink's lib/ folder"
                                    + " and the GPUs as an external resource of the task managers."
                                    + " Routers, encoder and head always run on the CPU.");

    public static final ConfigOption<String> DEVICE_RESOURCE =
            key("moe.expert.device.resource")
                    .stringType()
                    .defaultValue("gpu")
                    .withDescription(
                            "The name of the task managers' external resource that provides"
                                    + " GPUs. Subtasks are assigned to the GPUs of their task manager"
                                    + " round-robin, by subtask index.");

    public static final ConfigOption<MemorySize> DEVICE_MEMORY =
            key("moe.expert.device.memory")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription(
                            "The largest amount of GPU memory that each expert uses for weights"
                                    + " and buffers (gpu_mem_limit of ONNX Runtime). Default: no limit.");

    public static final ConfigOption<Boolean> ROW_BY_ROW =
            key("moe.model.row-by-row")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "Whether models for which a row's result depends on the other rows"
                                    + " of a call, in its last bits, are called with one row at a time."
                                    + " Then results have the same bits whatever the batches are, but"
                                    + " these models run several times slower. `moe inspect` shows which"
                                    + " models of a bundle they are: in most bundles there are none.");

    public static final ConfigOption<String> SLOT_SHARING_GROUP =
            key("moe.expert.slot-sharing-group")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The slot sharing group of the experts. Set it to run experts in"
                                    + " separate slots from routers and combines. Default: the group of"
                                    + " the other operators.");

    public static final ConfigOption<Double> SLOT_CPU_CORES =
            key("moe.expert.slot.cpu-cores")
                    .doubleType()
                    .noDefaultValue()
                    .withDescription(
                            "The CPU cores of a slot in the experts' slot sharing group."
                                    + " Enables fine-grained resource management for this group. Requires"
                                    + " moe.expert.slot.heap.");

    public static final ConfigOption<MemorySize> SLOT_HEAP =
            key("moe.expert.slot.heap")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription(
                            "The task heap memory of a slot in the experts' slot sharing group."
                                    + " Enables fine-grained resource management for this group. Requires"
                                    + " moe.expert.slot.cpu-cores.");

    public static final ConfigOption<MemorySize> SLOT_OFF_HEAP =
            key("moe.expert.slot.off-heap")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription(
                            "The task off-heap memory of a slot in the experts' slot sharing"
                                    + " group. Requires moe.expert.slot.cpu-cores.");

    public static final ConfigOption<Double> SLOT_DEVICES =
            key("moe.expert.slot.devices")
                    .doubleType()
                    .noDefaultValue()
                    .withDescription(
                            "The amount of the external resource moe.expert.device.resource in"
                                    + " a slot of the experts' slot sharing group: 1 is one GPU, 0.5 is"
                                    + " half of one. Requires moe.expert.slot.cpu-cores.");

    /** Which subtasks run an expert. */
    public enum Placement {
        PARTITIONED,
        REPLICATED,
        AUTO
    }

    /** The device that runs the experts. */
    public enum Device {
        CPU,
        CUDA
    }
}
