// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClusterSettingsTest {

    private static final MemorySize HEAP = MemorySize.parse("512m");

    @TempDir private Path folder;

    @Test
    void heapIsAllOfATaskManagersHeap() throws Exception {
        Configuration options = new ClusterSettings(1, 2, 3, HEAP).flinkOptions(folder, 2181, 8081);

        TaskExecutorProcessSpec memory = TaskExecutorProcessUtils.processSpecFromConfig(options);
        assertThat(memory.getJvmHeapMemorySize()).isEqualTo(HEAP);
        assertThat(options.get(CoreOptions.DEFAULT_PARALLELISM)).isEqualTo(6);
    }

    @Test
    void everyAddressIsOfThisMachine() throws Exception {
        Configuration options = new ClusterSettings(1, 1, 1, HEAP).flinkOptions(folder, 2181, 8081);

        assertThat(options.toMap())
                .containsEntry("jobmanager.bind-host", "127.0.0.1")
                .containsEntry("taskmanager.bind-host", "127.0.0.1")
                .containsEntry("rest.bind-address", "127.0.0.1");
    }

    @Test
    void theWebUiTakesNoJars() {
        Configuration options = new ClusterSettings(1, 1, 1, HEAP).flinkOptions(folder, 2181, 8081);

        assertThat(options.get(WebOptions.SUBMIT_ENABLE)).isFalse();
    }

    @Test
    void tooLittleIsRefusedWithWhatIsAllowed() {
        assertThatThrownBy(() -> new ClusterSettings(1, 0, 1, HEAP))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage("0 task managers; allowed: 1 or more");
        assertThatThrownBy(() -> new ClusterSettings(1, 1, 1, MemorySize.parse("100m")))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("allowed: 256 mb or more");
    }
}
