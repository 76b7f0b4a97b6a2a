// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import static io.flinkmoe.config.OptionValues.value;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Where experts run: the validated {@link PlacementOptions}.
 *
 * @param kind which subtasks run an expert
 * @param device the device that runs the experts
 * @param slots the slot sharing group of the experts; null: that of the other operators
 */
@Internal
public record ExpertPlacement(
        PlacementOptions.Placement kind, ExpertDevice device, SlotSharingGroup slots)
        implements Serializable {

    /** Each expert in one subtask, on the CPU, in the slots of the other operators. */
    public static final ExpertPlacement DEFAULT =
            new ExpertPlacement(PlacementOptions.Placement.PARTITIONED, ExpertDevice.CPU, null);

    private static final List<ConfigOption<?>> SLOT_SIZES =
            List.of(
                    PlacementOptions.SLOT_CPU_CORES,
                    PlacementOptions.SLOT_HEAP,
                    PlacementOptions.SLOT_OFF_HEAP,
                    PlacementOptions.SLOT_DEVICES);

    /**
     * Reads and checks the options.
     *
     * @throws IllegalConfigurationException if an option is invalid; the message names the key, the
     *     value and what is allowed
     */
    static ExpertPlacement of(ReadableConfig options) {
        String resource = value(options, PlacementOptions.DEVICE_RESOURCE);
        MemorySize memory = value(options, PlacementOptions.DEVICE_MEMORY);
        if (memory != null && memory.getBytes() == 0) {
            throw new IllegalConfigurationException(
                    "%s is 0; allowed: more than 0"
                            .formatted(PlacementOptions.DEVICE_MEMORY.key()));
        }
        return new ExpertPlacement(
                value(options, PlacementOptions.PLACEMENT),
                new ExpertDevice(
                        value(options, PlacementOptions.DEVICE),
                        resource,
                        memory == null ? 0 : memory.getBytes()),
                slots(options, resource));
    }

    private static SlotSharingGroup slots(ReadableConfig options, String resource) {
        String name = value(options, PlacementOptions.SLOT_SHARING_GROUP);
        List<String> sizes =
                SLOT_SIZES.stream()
                        .filter(option -> value(options, option) != null)
                        .map(ConfigOption::key)
                        .toList();
        if (name == null) {
            require(sizes.isEmpty(), sizes, PlacementOptions.SLOT_SHARING_GROUP);
            return null;
        }
        SlotSharingGroup.Builder slots = SlotSharingGroup.newBuilder(name);
        if (!sizes.isEmpty()) {
            require(
                    value(options, PlacementOptions.SLOT_CPU_CORES) != null,
                    sizes,
                    PlacementOptions.SLOT_CPU_CORES);
            require(
                    value(options, PlacementOptions.SLOT_HEAP) != null,
                    sizes,
                    PlacementOptions.SLOT_HEAP);
            slots.setCpuCores(positive(options, PlacementOptions.SLOT_CPU_CORES));
            slots.setTaskHeapMemory(value(options, PlacementOptions.SLOT_HEAP));
            MemorySize offHeap = value(options, PlacementOptions.SLOT_OFF_HEAP);
            if (offHeap != null) {
                slots.setTaskOffHeapMemory(offHeap);
            }
            if (value(options, PlacementOptions.SLOT_DEVICES) != null) {
                double devices = positive(options, PlacementOptions.SLOT_DEVICES);
                slots.setExternalResource(resource, devices);
            }
        }
        return slots.build();
    }

    private static void require(boolean given, List<String> set, ConfigOption<?> option) {
        if (!given) {
            throw new IllegalConfigurationException(
                    "%s needs %s, which is not set"
                            .formatted(String.join(", ", set), option.key()));
        }
    }

    private static double positive(ReadableConfig options, ConfigOption<Double> option) {
        double value = value(options, option);
        if (!(value > 0) || Double.isInfinite(value)) {
            throw new IllegalConfigurationException(
                    "%s is %s; allowed: more than 0".formatted(option.key(), value));
        }
        return value;
    }
}
