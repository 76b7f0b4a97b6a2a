// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.onnx.Device;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.api.common.externalresource.ExternalResourceInfo;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.streaming.util.MockStreamingRuntimeContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExpertPlacementTest {

    private record Gpu(Map<String, String> properties) implements ExternalResourceInfo {

        static Gpu of(String index) {
            return new Gpu(Map.of("index", index));
        }

        @Override
        public Optional<String> getProperty(String key) {
            return Optional.ofNullable(properties.get(key));
        }

        @Override
        public Collection<String> getKeys() {
            return properties.keySet();
        }
    }

    @Test
    void isTheCpuInTheSlotsOfOthersByDefault() throws Exception {
        ExpertPlacement placement = placement();
        assertThat(placement).isEqualTo(ExpertPlacement.DEFAULT);
        assertThat(device(placement, 0)).isEqualTo(Device.CPU);
    }

    @Test
    void spreadsSubtasksOverTheGpusOfTheTaskManager() throws Exception {
        ExpertPlacement placement =
                placement("moe.expert.device", "cuda", "moe.expert.device.memory", "2 gb");
        Gpu[] gpus = {Gpu.of("5"), Gpu.of("10"), Gpu.of("3")};
        assertThat(device(placement, 0, gpus)).isEqualTo(Device.cuda(3, 2L << 30));
        assertThat(device(placement, 1, gpus)).isEqualTo(Device.cuda(5, 2L << 30));
        assertThat(device(placement, 2, gpus)).isEqualTo(Device.cuda(10, 2L << 30));
        assertThat(device(placement, 3, gpus)).isEqualTo(Device.cuda(3, 2L << 30));
    }

    @Test
    void saysHowToConfigureAResourceThatIsMissing() {
        ExpertPlacement placement =
                placement("moe.expert.device", "cuda", "moe.expert.device.resource", "fpga");
        assertThatThrownBy(() -> device(placement, 0))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContainingAll(
                        "moe.expert.device is cuda",
                        "no external resource 'fpga'",
                        "external-resources: fpga",
                        "external-resource.fpga.amount",
                        "moe.expert.device.resource");
    }

    @Test
    void refusesAResourceThatIsNoGpu() {
        ExpertPlacement placement = placement("moe.expert.device", "cuda");
        assertThatThrownBy(() -> device(placement, 0, Gpu.of("left")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("'index' of the external resource 'gpu'")
                .hasMessageContaining("is left");
        assertThatThrownBy(() -> device(placement, 0, new Gpu(Map.of())))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("is missing");
    }

    @Test
    void readsTheSlotsOfTheExperts() {
        assertThat(placement("moe.expert.slot-sharing-group", "experts").slots())
                .isEqualTo(SlotSharingGroup.newBuilder("experts").build());
        SlotSharingGroup slots =
                placement(
                                "moe.expert.slot-sharing-group", "experts",
                                "moe.expert.slot.cpu-cores", "1.5",
                                "moe.expert.slot.heap", "512 mb",
                                "moe.expert.slot.off-heap", "4 gb",
                                "moe.expert.slot.devices", "0.5")
                        .slots();
        assertThat(slots)
                .isEqualTo(
                        SlotSharingGroup.newBuilder("experts")
                                .setCpuCores(1.5)
                                .setTaskHeapMemory(MemorySize.ofMebiBytes(512))
                                .setTaskOffHeapMemory(MemorySize.ofMebiBytes(4096))
                                .setExternalResource("gpu", 0.5)
                                .build());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "moe.expert.slot.heap=1 gb|moe.expert.slot.heap needs moe.expert.slot-sharing-group",
                "moe.expert.slot-sharing-group=a;moe.expert.slot.heap=1 gb|needs moe.expert.slot.cpu-cores",
                "moe.expert.slot-sharing-group=a;moe.expert.slot.devices=1;moe.expert.slot.cpu-cores=1|needs moe.expert.slot.heap",
                "moe.expert.slot-sharing-group=a;moe.expert.slot.heap=1 gb;moe.expert.slot.cpu-cores=0|moe.expert.slot.cpu-cores is 0.0; allowed: more than 0",
                "moe.expert.device.memory=0|moe.expert.device.memory is 0; allowed: more than 0",
                "moe.expert.device=tpu|moe.expert.device"
            })
    void refusesWhatDoesNotFit(String options, String message) {
        assertThatThrownBy(() -> placement(options.split("[;=]")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(message);
    }

    private static ExpertPlacement placement(String... keysAndValues) {
        Configuration options = new Configuration();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            options.setString(keysAndValues[i], keysAndValues[i + 1]);
        }
        return MoeSettings.of(options).placement();
    }

    private static Device device(ExpertPlacement placement, int subtask, Gpu... gpus)
            throws Exception {
        try (MockEnvironment environment =
                new MockEnvironmentBuilder()
                        .setExternalResourceInfoProvider(name -> Set.of(gpus))
                        .setParallelism(8)
                        .setMaxParallelism(8)
                        .setSubtaskIndex(subtask)
                        .build()) {
            return placement.device().of(new MockStreamingRuntimeContext(8, subtask, environment));
        }
    }
}
