// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static io.flinkmoe.runtime.expert.ExpertBlocks.N;
import static io.flinkmoe.runtime.expert.ExpertBlocks.outcomes;
import static io.flinkmoe.runtime.expert.ExpertBlocks.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.Outcome;
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

/** Experts that throw, or whose outputs are not finite. */
@ParameterizedClass
@EnumSource
class ExpertFailuresTest {

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        use(NumberedBundle.write(directory.resolve("bundle"), N, 2, 1));
    }

    @Test
    void failsTheJobIfACallThrows() throws Exception {
        use(NumberedBundle.write(directory.resolve("bad"), N, 2, FixedExperts.failing()));
        var harness = open(); // Closing it would run the rows again.
        assertThatThrownBy(() -> harness.send(rows(1, 0, 0, 1, 2)))
                .hasMessageContaining("layer 0")
                .hasMessageContaining("1.onnx")
                .hasMessageContaining("Set moe.expert.on-error to residual");
    }

    @Test
    void marksRowsFailedIfACallThrowsAndTheOptionSaysSo() throws Exception {
        use(NumberedBundle.write(directory.resolve("bad"), N, 2, FixedExperts.failing()));
        options.set(MoeOptions.EXPERT_ON_ERROR, MoeOptions.OnError.RESIDUAL);
        try (var harness = open()) {
            harness.send(rows(1, 0, 0, 1));
            harness.getOperator().finish();
            assertThat(outcomes(harness)).containsExactly(Outcome.FAILED, Outcome.FAILED);
            assertThat(harness.extractOutputValues().get(0).vectors().isEmpty()).isTrue();
        }
    }

    @Test
    void failsOnlyTheRowsThatThrowAlone() throws Exception {
        use(
                NumberedBundle.write(
                        directory.resolve("strict"), N, 2, NumberedBundle.strictExperts()));
        options.set(MoeOptions.EXPERT_ON_ERROR, MoeOptions.OnError.RESIDUAL);
        try (var harness = open()) {
            harness.send(rows(1, 0, 0, N, 2));
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.EXECUTED, Outcome.FAILED, Outcome.EXECUTED);
            assertThat(Floats.toFloats(harness.extractOutputValues().get(0).vectors().toBytes()))
                    .containsExactly(0, 0, 0, 0, 2, 2, 2, 2);
        }
    }

    @Test
    void failsOnlyTheRowsThatThrowAloneInPaddedCallsToo() throws Exception {
        use(
                NumberedBundle.write(
                        directory.resolve("padded"), N, 2, NumberedBundle.strictExperts()));
        options.set(MoeOptions.EXPERT_ON_ERROR, MoeOptions.OnError.RESIDUAL);
        options.set(MoeOptions.EXPERT_BATCH_PADDING, true);
        try (var harness = open()) {
            harness.send(rows(1, 0, N, 2));
            harness.setProcessingTime(5);
            assertThat(outcomes(harness)).containsExactly(Outcome.FAILED, Outcome.EXECUTED);
            harness.send(rows(1, 1, 3));
            harness.setProcessingTime(10);
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.FAILED, Outcome.EXECUTED, Outcome.EXECUTED);
        }
    }

    @Test
    void marksRowsFailedWhoseOutputIsNotFinite() throws Exception {
        use(NumberedBundle.write(directory.resolve("huge"), N, 2, FixedExperts.scaling(3e38f)));
        try (var harness = open()) {
            harness.send(rows(1, 0, 0), rows(1, 1, 2, 1));
            assertThat(outcomes(harness))
                    .containsExactly(Outcome.EXECUTED, Outcome.FAILED, Outcome.EXECUTED);
            assertThat(harness.extractOutputValues())
                    .extracting(result -> Floats.toFloats(result.vectors().toBytes()))
                    .containsExactly(new float[4], new float[] {3e38f, 3e38f, 3e38f, 3e38f});
        }
    }

    private void use(Bundle bundle) {
        options = ExpertBlocks.options(bundle);
    }

    private ExpertHarness open() throws Exception {
        return OperatorHarnesses.of(options).stateBackend(backend.make()).expert(0);
    }
}
