// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static io.flinkmoe.runtime.expert.ExpertBlocks.N;
import static io.flinkmoe.runtime.expert.ExpertBlocks.outputs;
import static io.flinkmoe.runtime.expert.ExpertBlocks.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.ExpertHarness;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.execution.CancelTaskException;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class ExpertTest {

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        use(NumberedBundle.write(directory.resolve("bundle"), N, 2, 1));
    }

    @Test
    void batchesRowsOfSeveralBlocksAndReturnsAResultPerBlock() throws Exception {
        try (var harness = open()) {
            harness.send(rows(2, 5, 0, 7));
            assertThat(harness.extractOutputValues()).isEmpty();

            harness.send(rows(2, 6, 4));

            List<ContributionBlock> results = harness.extractOutputValues();
            assertThat(results).extracting(ContributionBlock::batch).containsExactly(5L, 6L);
            assertThat(results.get(0).choices()).containsExactly(0, 7);
            assertThat(results.get(0).outcomes()).containsOnly(Outcome.EXECUTED.code());
            assertThat(Floats.toFloats(results.get(0).vectors().toBytes()))
                    .containsExactly(0, 0, 0, 0, 21, 21, 21, 21);
            assertThat(Floats.toFloats(results.get(1).vectors().toBytes()))
                    .containsExactly(12, 12, 12, 12);
        }
    }

    @Test
    void doesNotBatchRowsOfSeveralExperts() throws Exception {
        try (var harness = open()) {
            harness.send(rows(0, 0, 1, 2), rows(1, 0, 3, 4), rows(3, 0, 5, 6, 7));
            assertThat(outputs(harness, N)).isEqualTo(Map.of(5, 20f, 6, 24f, 7, 28f));
        }
    }

    @Test
    void runsABlockThatIsLargerThanACallInParts() throws Exception {
        try (var harness = open()) {
            harness.send(rows(0, 0, 1, 2, 3, 4, 5, 6, 7));
            assertThat(harness.extractOutputValues()).hasSize(2);
            harness.getOperator().finish();
            assertThat(harness.extractOutputValues())
                    .extracting(result -> Floats.toFloats(result.vectors().toBytes()))
                    .containsExactly(
                            new float[] {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3},
                            new float[] {4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6},
                            new float[] {7, 7, 7, 7});
        }
    }

    @Test
    void runsWhatHasLingered() throws Exception {
        try (var harness = open()) {
            harness.setProcessingTime(50);
            harness.send(rows(1, 0, 0), rows(2, 0, 1));
            harness.setProcessingTime(54);
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.setProcessingTime(55);
            assertThat(outputs(harness, N)).containsOnlyKeys(0, 1);
        }
    }

    @Test
    void finishRunsAllRowsThatWait() throws Exception {
        try (var harness = open()) {
            harness.send(rows(1, 0, 0, 3), rows(2, 0, 1));
            harness.getOperator().finish();
            assertThat(outputs(harness, N)).isEqualTo(Map.of(0, 0f, 3, 6f, 1, 3f));
        }
    }

    @Test
    void aWatermarkDoesNotWaitForRows() throws Exception {
        try (var harness = open()) {
            harness.send(rows(1, 0, 0));
            harness.processWatermark(59_999);
            assertThat(harness.getOutput()).containsExactly(new Watermark(59_999));
        }
    }

    @Test
    void padsCallsIfTheOptionSaysSo() throws Exception {
        use(NumberedBundle.write(directory.resolve("counting"), N, 2, FixedExperts.countingRows()));
        for (boolean padding : new boolean[] {false, true}) {
            options.set(MoeOptions.EXPERT_BATCH_PADDING, padding);
            try (var harness = open()) {
                harness.send(rows(1, 0, 2));
                harness.getOperator().finish();
                float rowsOfTheCall = padding ? ExpertBlocks.BATCH : 1;
                Vectors output = harness.extractOutputValues().get(0).vectors();
                assertThat(Floats.toFloats(output.toBytes()))
                        .hasSize(N)
                        .containsOnly(rowsOfTheCall);
            }
        }
    }

    @Test
    void opensNoMoreExpertsOnceItIsCancelled() throws Exception {
        // On the heap: RocksDB gives up first in a thread that is interrupted.
        OperatorHarnesses harnesses = OperatorHarnesses.of(options);
        harnesses.expert(0).close(); // The bundle is read by now.
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> harnesses.expert(0)).isInstanceOf(CancelTaskException.class);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void refusesStateOfAnotherModel() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open()) {
            harness.send(rows(1, 0, 0));
            state = harness.snapshot(1, 1);
        }
        use(tiny("experts", 2 * N, N));
        assertThatThrownBy(() -> open(state))
                .hasMessageContaining(
                        "num_experts of layer 0 is 8, but the checkpoint was written with 4");
        use(tiny("width", N, N + 2));
        assertThatThrownBy(() -> open(state))
                .hasMessageContaining(
                        "input_size of layer 0 is 6, but the checkpoint was written with 4");
    }

    @Test
    void acceptsStateOfTheSameModelWithOtherChoicesPerToken() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open()) {
            harness.send(rows(1, 0, 5));
            state = harness.snapshot(1, 1);
        }
        use(NumberedBundle.write(directory.resolve("choices"), N, 3, 1));
        try (var harness = open(state)) {
            harness.getOperator().finish();
            assertThat(outputs(harness, N)).isEqualTo(Map.of(5, 10f));
        }
    }

    private Bundle tiny(String name, int numExperts, int hiddenSize) {
        return TinyBundle.builder()
                .numExperts(numExperts)
                .hiddenSize(hiddenSize)
                .writeTo(directory.resolve(name))
                .bundle();
    }

    private void use(Bundle bundle) {
        options = ExpertBlocks.options(bundle);
    }

    private ExpertHarness open(OperatorSubtaskState... states) throws Exception {
        return OperatorHarnesses.of(options).stateBackend(backend.make()).restore(states).expert(0);
    }
}
