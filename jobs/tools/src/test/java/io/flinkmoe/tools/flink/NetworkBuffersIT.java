// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.api.Token;
import io.flinkmoe.scoring.cli.NetworkBuffers;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Jobs with exactly as many network buffers as {@link NetworkBuffers} computes, and with fewer. */
class NetworkBuffersIT {

    private static final MemorySize SEGMENT = MemorySize.parse("32kb");
    private static final int TOKENS = 200;

    @TempDir private Path folder;

    @ParameterizedTest
    @CsvSource({"1,3,1", "3,4,1", "2,4,2"})
    void aJobRunsWithTheComputedBuffersAndNotWithFewer(
            int layers, int parallelism, int taskManagers) throws Exception {
        TinyBundle bundle = TinyBundle.builder().layers(layers).writeTo(folder.resolve("bundle"));
        int slots = parallelism / taskManagers;
        Configuration options = new Configuration();
        options.set(TaskManagerOptions.MINI_CLUSTER_NUM_TASK_MANAGERS, taskManagers);
        options.set(TaskManagerOptions.NUM_TASK_SLOTS, slots);
        options.set(TaskManagerOptions.MEMORY_SEGMENT_SIZE, SEGMENT);
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        NetworkBuffers buffers =
                NetworkBuffers.of(
                        job(bundle, options, parallelism).getStreamGraph().getJobGraph(),
                        slots,
                        options);

        give(options, buffers.needed());
        assertThat(job(bundle, options, parallelism).execute()).isNotNull();

        // How many senders are local differs between task managers, and from run to run.
        give(options, taskManagers == 1 ? buffers.needed() - 1 : buffers.needed() / 2);
        StreamExecutionEnvironment tooSmall = job(bundle, options, parallelism);
        assertThatThrownBy(tooSmall::execute)
                .satisfies(
                        e ->
                                assertThat(
                                                ExceptionUtils.findThrowableWithMessage(
                                                        e, "Insufficient number of network"))
                                        .isPresent());
        assertThat(buffers.used()).isGreaterThan(buffers.needed());
    }

    private static void give(Configuration options, long buffers) {
        options.set(TaskManagerOptions.NETWORK_MEMORY_MIN, SEGMENT.multiply(buffers));
        options.set(TaskManagerOptions.NETWORK_MEMORY_MAX, SEGMENT.multiply(buffers));
    }

    private static StreamExecutionEnvironment job(
            TinyBundle bundle, Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, options);
        MoeLayers.builder(bundle.options())
                .build()
                .score(
                        env.fromSequence(0, TOKENS - 1)
                                .setParallelism(1)
                                .map(new Tokens())
                                .setParallelism(1))
                .scored()
                .sinkTo(new DiscardingSink<>());
        return env;
    }

    private static final class Tokens implements MapFunction<Long, Token> {
        private static final long serialVersionUID = 1L;

        @Override
        public Token map(Long n) {
            return new Token("stream-" + n % 16, n, n, new float[] {n, 1, -n, 2});
        }
    }

    @Test
    void jobsOfManyLayersAndSubtasksGetSmallerBuffers() throws Exception {
        TinyBundle bundle =
                TinyBundle.builder().numExperts(16).layers(12).writeTo(folder.resolve("bundle"));
        for (int parallelism : new int[] {1, 4, 16}) {
            Configuration options = new Configuration();
            StreamExecutionEnvironment env = job(bundle, options, parallelism);
            MemorySize most = MemorySize.parse("300mb");

            new LocalNetwork(new Configuration(), most.getBytes())
                    .fit(env.getStreamGraph().getJobGraph(), options);

            MemorySize memory = options.get(TaskManagerOptions.NETWORK_MEMORY_MAX);
            assertThat(memory).isEqualTo(options.get(TaskManagerOptions.NETWORK_MEMORY_MIN));
            assertThat(memory).isBetween(BlockBuffers.NETWORK, most);
            assertThat(options.get(TaskManagerOptions.MEMORY_SEGMENT_SIZE).toString())
                    .isEqualTo(parallelism == 1 ? "256 kb" : parallelism == 4 ? "64 kb" : "16 kb");
        }
    }

    @Test
    void tooLittleMemoryIsRefusedWithWhatToSet() throws Exception {
        TinyBundle bundle = TinyBundle.builder().layers(4).writeTo(folder.resolve("bundle"));
        Configuration given = new Configuration();
        given.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.parse("16mb"));
        StreamExecutionEnvironment env = job(bundle, given, 4);

        assertThatThrownBy(
                        () ->
                                new LocalNetwork(given)
                                        .fit(
                                                env.getStreamGraph(false).getJobGraph(),
                                                new Configuration(given)))
                .hasMessageContaining("is 16mb, which is 64 buffers of 256 kb")
                .hasMessageContaining(
                        "set taskmanager.memory.network.min and taskmanager.memory.network.max to");
        assertThatThrownBy(
                        () ->
                                new LocalNetwork(new Configuration(), 1 << 20)
                                        .fit(
                                                env.getStreamGraph(false).getJobGraph(),
                                                new Configuration()))
                .hasMessageContaining("buffers of 4 kb")
                .hasMessageContaining("JVM_ARGS=-XX:MaxDirectMemorySize=");
    }
}
