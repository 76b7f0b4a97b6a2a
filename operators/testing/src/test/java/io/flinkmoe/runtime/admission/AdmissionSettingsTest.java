// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.N;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Settings that are fixed for the life of the state of an admission. */
@ParameterizedClass
@EnumSource
class AdmissionSettingsTest {

    private static final AtWindowClose PRIORITIZED = prioritized(MINUTE, AdmissionOrder.POSITION);

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;
    private OperatorSubtaskState state;

    @BeforeEach
    void writeState() throws Exception {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 2);
        try (var harness = open(PRIORITIZED)) {
            state = harness.snapshot(1, 1);
        }
    }

    @Test
    void acceptsStateOfTheSameSettingsWithAnotherCapacity() {
        assertThatCode(
                        () ->
                                restore(
                                        AtWindowClose.of(
                                                MINUTE,
                                                CapacityFormula.fixed(3),
                                                AdmissionOrder.POSITION)))
                .doesNotThrowAnyException();
    }

    @Test
    void refusesStateOfAnotherAdmission() {
        assertThatThrownBy(() -> restore(FirstCome.of(MINUTE, 2)))
                .hasMessageContaining(
                        "moe.capacity.admission is first-come, but the checkpoint was written with prioritized");
        assertThatThrownBy(() -> restore(PRIORITIZED.withOverflowRounds(1)))
                .hasMessageContaining(
                        "moe.overflow.rounds is 1, but the checkpoint was written with 0");
        assertThatThrownBy(() -> restore(PRIORITIZED.withWeightRule(WeightRule.SURVIVORS)))
                .hasMessageContaining(
                        "moe.capacity.weights is survivors, but the checkpoint was written with router");
        assertThatThrownBy(() -> restore(prioritized(MINUTE, AdmissionOrder.RANDOM)))
                .hasMessageContaining(
                        "moe.capacity.order is random, but the checkpoint was written with position");
        TumblingWindows second = new TumblingWindows(1000);
        assertThatThrownBy(() -> restore(prioritized(second, AdmissionOrder.POSITION)))
                .hasMessageContaining("is 1 s, but the checkpoint was written with 1 min");
    }

    @Test
    void refusesStateOfAModelWithAnotherNumberOfChoices() {
        options = AdmissionBlocks.options(directory.resolve("other"), 3);
        assertThatThrownBy(() -> restore(PRIORITIZED))
                .hasMessageContaining(
                        "num_experts_per_tok of layer 0 is 3, but the checkpoint was written with 2");
    }

    @Test
    void refusesStateOfAModelWithAnotherNumberOfExperts() {
        String other =
                NumberedBundle.write(directory.resolve("other"), 2 * N, 2, 1)
                        .directory()
                        .toString();
        options.set(MoeOptions.BUNDLE, other);
        assertThatThrownBy(() -> restore(PRIORITIZED))
                .hasMessageContaining(
                        "num_experts of layer 0 is 8, but the checkpoint was written with 4");
    }

    private static AtWindowClose prioritized(TumblingWindows windows, AdmissionOrder order) {
        return AtWindowClose.of(windows, CapacityFormula.fixed(2), order);
    }

    private void restore(Capacity capacity) throws Exception {
        open(capacity, state).close();
    }

    private AdmissionHarness open(Capacity capacity, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .restore(states)
                .admission(0);
    }
}
