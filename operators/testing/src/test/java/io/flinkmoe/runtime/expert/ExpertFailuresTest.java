// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static io.flinkmoe.runtime.expert.ExpertBlocks.block;
import static io.flinkmoe.runtime.expert.ExpertBlocks.outcomes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.ExpertHarness;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Experts that throw, or whose answers are not finite. */
@ParameterizedClass
@EnumSource
class ExpertFailuresTest {

    private static final int N = 4;
    private static final Capacity TWO_A_MINUTE = FirstCome.of(new TumblingWindows(60_000), 2);

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        use(NumberedBundle.write(directory.resolve("bundle"), N, 2, 1));
    }

    @Test
    void failsTheJobWhenARunThrows() throws Exception {
        use(NumberedBundle.write(directory.resolve("bad"), N, 2, FixedExperts.failing()));
        var harness = open(new Dropless());
        assertThatThrownBy(() -> harness.send(block(1, 0, new int[] {0, 1, 2}, 0, 0, 0)))
                .hasMessageContaining("layer 0")
                .hasMessageContaining("1.onnx")
                .hasMessageContaining("Set moe.expert.on-error to residual");
    }

    @Test
    void keepsTheResidualWhenARunThrowsAndTheOptionSaysSo() throws Exception {
        use(NumberedBundle.write(directory.resolve("bad"), N, 2, FixedExperts.failing()));
        options.set(MoeOptions.EXPERT_ON_ERROR, MoeOptions.OnError.RESIDUAL);
        try (var harness = open(TWO_A_MINUTE)) {
            harness.send(block(1, 0, new int[] {0, 1}, 0, 0));
            harness.processWatermark(59_999);
            assertThat(outcomes(harness)).containsExactly(Outcome.FAILED, Outcome.FAILED);
            assertThat(harness.getSideOutput(WindowSummary.SUMMARIES))
                    .extracting(record -> record.getValue().counts())
                    .containsExactly(WindowCounts.EMPTY.plus(Outcome.FAILED, 2));
        }
    }

    @Test
    void failsOnlyTheRowsToBlameWhateverTheyWereJoinedWith() throws Exception {
        use(
                NumberedBundle.write(
                        directory.resolve("strict"), N, 2, NumberedBundle.strictExperts()));
        options.set(MoeOptions.EXPERT_ON_ERROR, MoeOptions.OnError.RESIDUAL);
        try (var harness = open(new Dropless())) {
            harness.send(block(1, 0, new int[] {0, N, 2}, 0, 0, 0));
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.EXECUTED, Outcome.FAILED, Outcome.EXECUTED);
            assertThat(Floats.toFloats(harness.extractOutputValues().get(0).vectors().toBytes()))
                    .containsExactly(0, 0, 0, 0, 2, 2, 2, 2);
        }
    }

    @Test
    void failsOnlyTheRowsToBlameInPaddedCallsToo() throws Exception {
        use(
                NumberedBundle.write(
                        directory.resolve("padded"), N, 2, NumberedBundle.strictExperts()));
        options.set(MoeOptions.EXPERT_ON_ERROR, MoeOptions.OnError.RESIDUAL);
        options.set(MoeOptions.EXPERT_BATCH_PADDING, true);
        try (var harness = open(new Dropless())) {
            harness.send(block(1, 0, new int[] {N, 2}, 0, 0));
            harness.prepareSnapshotPreBarrier(1);
            assertThat(outcomes(harness)).containsExactly(Outcome.FAILED, Outcome.EXECUTED);
            harness.send(block(1, 1, new int[] {3}, 0));
            harness.prepareSnapshotPreBarrier(2);
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.FAILED, Outcome.EXECUTED, Outcome.EXECUTED);
        }
    }

    @Test
    void marksRowsFailedWhoseOutputIsNotFinite() throws Exception {
        use(NumberedBundle.write(directory.resolve("huge"), N, 2, FixedExperts.scaling(3e38f)));
        try (var harness = open(new Dropless())) {
            harness.send(block(1, 0, new int[] {0}, 0), block(1, 1, new int[] {2, 1}, 0, 0));
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.EXECUTED, Outcome.FAILED, Outcome.EXECUTED);
            assertThat(harness.extractOutputValues())
                    .extracting(answer -> Floats.toFloats(answer.vectors().toBytes()))
                    .containsExactly(new float[4], new float[] {3e38f, 3e38f, 3e38f, 3e38f});
        }
    }

    private void use(Bundle bundle) {
        options = ExpertBlocks.options(bundle);
    }

    private ExpertHarness open(Capacity capacity) throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .expert(0);
    }
}
