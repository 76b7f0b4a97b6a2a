// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.testing.NumberedBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A slow expert slows the source: what is on the way is bounded, and all of it arrives. */
class BackpressureIT {

    private static final int N = 4;
    private static final int TOKENS = 20_000;

    /** What the small network buffers of this cluster hold, and the operators, generously. */
    private static final int MOST_ON_THE_WAY = TOKENS / 3;

    private static final AtomicInteger ON_THE_WAY = new AtomicInteger();
    private static final AtomicInteger MOST = new AtomicInteger();

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setConfiguration(smallBuffers())
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(2)
                            .build());

    @TempDir private Path directory;

    @Test
    void slowExpertSlowsTheSourceAndLosesNothing() throws Exception {
        Bundle bundle =
                NumberedBundle.write(
                        directory.resolve("bundle"), N, 2, (expert, width) -> slow(20));
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.BATCH_SIZE, 16);
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 16);
        options.set(MoeOptions.BATCH_LINGER, Duration.ofMillis(1));
        options.set(PipelineOptions.GENERIC_TYPES, false);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.configure(options);
        env.setParallelism(2);

        List<Long> answered =
                MoeLayers.builder(options)
                        .build()
                        .score(
                                env.fromData(tokens(), Token.TYPE)
                                        .map(new CountIn())
                                        .returns(Token.TYPE))
                        .scored()
                        .map(new CountOut())
                        .executeAndCollect(TOKENS + 1);

        assertThat(answered).hasSize(TOKENS).doesNotHaveDuplicates();
        assertThat(MOST.get()).isBetween(1, MOST_ON_THE_WAY);
    }

    private static Configuration smallBuffers() {
        Configuration options = new Configuration();
        options.set(TaskManagerOptions.MEMORY_SEGMENT_SIZE, MemorySize.parse("4kb"));
        return options;
    }

    private static List<Token> tokens() {
        List<Token> tokens = new ArrayList<>();
        for (int i = 0; i < TOKENS; i++) {
            float[] values = new float[N];
            values[i % N] = 1;
            tokens.add(new Token("stream-" + i % 7, i, i, values));
        }
        return tokens;
    }

    /** An expert that answers with zeros, after as many multiplications of 256 x 256. */
    private static byte[] slow(int multiplications) {
        int wide = 256;
        OnnxGraph graph =
                new OnnxGraph("slow")
                        .input("hidden", N)
                        .output("output", N)
                        .weights("widen", new float[N * wide], N, wide)
                        .weights("square", new float[wide * wide], wide, wide)
                        .weights("narrow", new float[wide * N], wide, N)
                        .node("MatMul", "wide0", List.of("hidden", "widen"));
        for (int i = 0; i < multiplications; i++) {
            graph.node("MatMul", "wide" + (i + 1), List.of("wide" + i, "square"));
        }
        return graph.node("MatMul", "output", List.of("wide" + multiplications, "narrow"))
                .toBytes();
    }

    private static final class CountIn implements MapFunction<Token, Token> {

        private static final long serialVersionUID = 1L;

        @Override
        public Token map(Token token) {
            MOST.accumulateAndGet(ON_THE_WAY.incrementAndGet(), Math::max);
            return token;
        }
    }

    private static final class CountOut implements MapFunction<ScoredToken, Long> {

        private static final long serialVersionUID = 1L;

        @Override
        public Long map(ScoredToken token) {
            ON_THE_WAY.decrementAndGet();
            return token.position();
        }
    }
}
