// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.scoring.cli.NetworkBuffers;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.junit.jupiter.api.Test;

/** With a job whose buffers of the default size take more than the memory. */
class LocalNetworkTest {

    private static final int PARALLELISM = 8;
    private static final long MOST_BYTES = 64 << 20;

    private final JobGraph graph = graph();

    private static JobGraph graph() {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(PARALLELISM);
        DataStream<Long> numbers = env.fromSequence(0, 1);
        for (int i = 0; i < 10; i++) {
            numbers = numbers.rebalance().map(n -> n);
        }
        numbers.sinkTo(new DiscardingSink<>());
        return env.getStreamGraph().getJobGraph();
    }

    private Configuration fit(Configuration given) {
        Configuration options = new Configuration(given);
        new LocalNetwork(given, MOST_BYTES).fit(graph, options);
        return options;
    }

    /** What a dry run prints. */
    private long minimum(Configuration options) {
        return NetworkBuffers.of(graph, PARALLELISM, options)
                .neededMemory(options.get(TaskManagerOptions.MEMORY_SEGMENT_SIZE))
                .getBytes();
    }

    private static Configuration memory(long bytes) {
        Configuration options = new Configuration();
        options.set(TaskManagerOptions.NETWORK_MEMORY_MIN, new MemorySize(bytes));
        options.set(TaskManagerOptions.NETWORK_MEMORY_MAX, new MemorySize(bytes));
        return options;
    }

    @Test
    void theMinimumIsEnoughWhenItIsSet() {
        Configuration sized = fit(new Configuration());
        MemorySize segment = sized.get(TaskManagerOptions.MEMORY_SEGMENT_SIZE);
        assertThat(segment).isLessThan(BlockBuffers.SEGMENT);

        Configuration set = fit(memory(minimum(sized)));

        assertThat(set.get(TaskManagerOptions.MEMORY_SEGMENT_SIZE)).isEqualTo(segment);
        assertThat(minimum(set)).isEqualTo(minimum(sized));
        assertThatThrownBy(() -> fit(memory(minimum(sized) - 1)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("set taskmanager.memory.network.min and");
    }

    @Test
    void moreMemoryAllowsLargerBuffers() {
        assertThat(fit(memory(1L << 30)).get(TaskManagerOptions.MEMORY_SEGMENT_SIZE))
                .isEqualTo(BlockBuffers.SEGMENT);
    }
}
