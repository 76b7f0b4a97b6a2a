// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.runtime.JobChecks;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What MoE layers refuse and offer, before a job runs. */
class MoeLayersTest {

    private static final int N = 5;
    @TempDir private Path directory;
    private final Configuration options = new Configuration();

    @BeforeEach
    void writeBundle() {
        NumberedBundle.write(directory.resolve("bundle"), N, 2, 2);
        options.set(MoeOptions.BUNDLE, directory.resolve("bundle").toString());
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
    }

    /** ELU gets other last bits in other batches, at widths that are no multiple of 4. */
    @Test
    void saysForWhichModelsTheGuaranteeOfTheSameBitsDoesNotHold() throws Exception {
        int d = 4;
        float[] ramp = new float[7 * d];
        for (int i = 0; i < ramp.length; i++) {
            ramp[i] = 0.3f - 0.07f * (i % 11);
        }
        byte[] bent =
                new OnnxGraph("bent")
                        .input("x", d)
                        .output("y", d)
                        .linear("wide", "x", ramp, null, d, 7)
                        .node("Elu", "bent", List.of("wide"))
                        .linear("y", "bent", ramp, null, 7, d)
                        .toBytes();
        TinyBundle tiny =
                TinyBundle.builder()
                        .hiddenSize(d)
                        .expert(2, (expert, width) -> bent)
                        .writeTo(directory.resolve("bent"));
        Configuration bentOptions = new Configuration();
        bentOptions.addAll(tiny.options());

        assertThat(MoeLayers.builder(options).build().warning()).isEmpty();
        assertThat(MoeLayers.builder(bentOptions).build().warning())
                .hasValueSatisfying(
                        warning ->
                                assertThat(warning)
                                        .contains(
                                                " for layers/0/experts/2.onnx. So the guarantee of the"
                                                        + " same bits does not hold for this model;"
                                                        + " moe.model.row-by-row: true makes it hold"));
        bentOptions.set(PlacementOptions.ROW_BY_ROW, true);
        assertThat(MoeLayers.builder(bentOptions).build().warning()).isEmpty();
    }

    @Test
    void asksForABundle() {
        assertThatThrownBy(() -> MoeLayers.builder(new Configuration()).build())
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage("moe.bundle is not set; give the directory of a model bundle");
    }

    @Test
    void refusesABundleThatIsMissing() {
        options.set(MoeOptions.BUNDLE, directory.resolve("missing").toString());
        assertThatThrownBy(() -> MoeLayers.builder(options).build())
                .isInstanceOf(BundleException.class)
                .hasMessageContaining(directory.resolve("missing").toString());
    }

    @Test
    void refusesAnIllegalOptionBeforeAnythingRuns() {
        options.set(MoeOptions.LANES, 0);
        assertThatThrownBy(() -> MoeLayers.builder(options).build())
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage("moe.lanes is 0; allowed: 1 to 32768");
    }

    @Test
    void refusesAUnionThatWouldTearStreamsApart() throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        DataStream<Token> one = tokens(env, 1);
        DataStream<Token> two = tokens(env, 2);
        assertThatThrownBy(() -> MoeLayers.builder(options).build().score(one.union(two)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("of parallelism 1 and")
                .hasMessageContaining("of parallelism 2");
        assertThat(MoeLayers.builder(options).build().score(two.union(tokens(env, 2))).scored())
                .isNotNull();
    }

    private static DataStream<Token> tokens(StreamExecutionEnvironment env, int parallelism) {
        return env.fromSequence(0, 1)
                .map(number -> new Token("s", number, number, new float[N]), Token.TYPE)
                .setParallelism(parallelism);
    }

    @Test
    void refusesCallsLargerThanABuffer() throws Exception {
        BundleSpec tiny = Bundle.read(directory.resolve("bundle")).spec();
        int wide = 1 << 20;
        BundleSpec spec =
                new BundleSpec(
                        tiny.formatVersion(),
                        tiny.name(),
                        tiny.version(),
                        wide,
                        wide,
                        null,
                        null,
                        List.of(
                                LayerSpec.oneGate(
                                        wide,
                                        tiny.layers().get(0).gates().get(0).router().file(),
                                        tiny.layers().get(0).gates().get(0).routing(),
                                        tiny.layers().get(0).experts().stream()
                                                .map(expert -> expert.file().file())
                                                .toList())),
                        tiny.checksums());
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 512);
        assertThatThrownBy(() -> JobChecks.checkCalls(MoeSettings.of(options), spec))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.expert.batch.size is 512, but the model's vectors have 1048576 values;"
                                + " allowed: 1 to 511, as many as fit 2 GiB");
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 511);
        JobChecks.checkCalls(MoeSettings.of(options), spec);
    }

    @Test
    void runsAModelThatScalesItsWeightsWithTheWeightsOfSurvivors() throws Exception {
        NumberedBundle.write(
                directory.resolve("scaled"), RoutingConfig.softmax(N, 2).scaledBy(2.5f));
        options.set(MoeOptions.BUNDLE, directory.resolve("scaled").toString());
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 1);
        options.set(MoeOptions.CAPACITY_WEIGHTS, WeightRule.SURVIVORS);
        assertThat(MoeLayers.builder(options).build().inputs().words()).isEqualTo(N);
    }

    @Test
    void tellsTheWidthAndTheVersionOfTheBundle() throws Exception {
        MoeLayers layers = MoeLayers.builder(options).build();
        assertThat(layers.inputs().words()).isEqualTo(N);
        assertThat(layers.modelVersion()).matches("[0-9a-f]{12}");
    }

    @ParameterizedTest
    @EnumSource(names = "STREAMING", mode = EnumSource.Mode.EXCLUDE)
    void refusesEveryModeButStreaming(RuntimeExecutionMode mode) throws Exception {
        options.set(ExecutionOptions.RUNTIME_MODE, mode);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        MoeLayers layers = MoeLayers.builder(options).build();
        assertThatThrownBy(() -> layers.score(tokens(env)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith("execution.runtime-mode is %s; allowed: STREAMING", mode);
    }

    @Test
    void refusesAModeThatTheProgramSets() throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.setRuntimeMode(RuntimeExecutionMode.BATCH);
        MoeLayers layers = MoeLayers.builder(options).build();
        assertThatThrownBy(() -> layers.score(tokens(env)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("BATCH");
    }

    @Test
    void refusesCheckpointsThatAreNotExactlyOnce() throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.enableCheckpointing(1_000, CheckpointingMode.AT_LEAST_ONCE);
        MoeLayers layers = MoeLayers.builder(options).build();
        assertThatThrownBy(() -> layers.score(tokens(env)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(
                        "execution.checkpointing.mode is AT_LEAST_ONCE; allowed: EXACTLY_ONCE");
    }

    @Test
    void givesRouterLogitsOnlyWhenAskedTo() throws Exception {
        MoeResult result = MoeLayers.builder(options).build().score(tokens(env(1)));
        assertThatThrownBy(result::routerLogits)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("routerLogits()");
    }

    private StreamExecutionEnvironment env(int parallelism) {
        return StreamExecutionEnvironment.getExecutionEnvironment(options)
                .setParallelism(parallelism);
    }

    private static DataStream<Token> tokens(StreamExecutionEnvironment env) {
        List<Token> one = List.of(new Token("a", 0, 0, new float[N]));
        return env.fromData(one, Token.TYPE).uid("in");
    }
}
