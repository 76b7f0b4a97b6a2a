// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.block;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.onArrival;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.withNextExpert;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.runtime.ReportedMetrics;
import io.flinkmoe.runtime.admission.AdmissionBlocks.Row;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
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

@ParameterizedClass
@EnumSource
class AdmissionMetricsTest {

    private final ReportedMetrics metrics = new ReportedMetrics();

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 2);
    }

    @Test
    void countsByExpertWhatBecameOfItsTokens() throws Exception {
        try (var harness = open(FirstCome.of(MINUTE, 2))) {
            harness.send(onArrival(3, 0, new int[] {0, 1, 2, 3}, 0, 1, 2, 60_000));
            harness.processWatermark(59_999);
            harness.send(onArrival(3, 1, new int[] {4, 5}, 3, 60_001));
            harness.send(onArrival(0, 2, new int[] {6}, 60_000));
        }

        assertThat(counter(3, "Asked")).isEqualTo(6);
        assertThat(counter(3, "Admitted")).isEqualTo(4);
        assertThat(counter(3, "Overflowed")).isEqualTo(1);
        assertThat(counter(3, "Late")).isEqualTo(1);
        assertThat(counter(3, "PassedOn")).isZero();
        assertThat(held(3)).isZero();
        assertThat(counter(0, "Admitted")).isEqualTo(1);
        assertThat(counter(1, "Asked")).isZero();
    }

    @Test
    void countsTokensThatArePassedOn() throws Exception {
        try (var harness = open(FirstCome.of(MINUTE, 1).withOverflowRounds(1))) {
            harness.send(withNextExpert(1, 0, 0, 1, 2, 3));
        }
        assertThat(counter(1, "Asked")).isEqualTo(3);
        assertThat(counter(1, "Admitted")).isEqualTo(1);
        assertThat(counter(1, "PassedOn")).isEqualTo(2);
        assertThat(counter(1, "Overflowed")).isZero();
    }

    @Test
    void reportsWhatIsHeldUntilTheWindowIsDecided() throws Exception {
        Capacity capacity =
                AtWindowClose.of(MINUTE, CapacityFormula.fixed(1), AdmissionOrder.POSITION);
        try (var harness = open(capacity)) {
            harness.send(block(2, 0, row(0, 5), row(2, 6), row(4, 7)));
            assertThat(held(2)).isEqualTo(3);
            harness.startWatermark(59_999);
            assertThat(held(2)).isEqualTo(3);
            harness.runSlices();
            assertThat(held(2)).isZero();
        }
        assertThat(counter(2, "Admitted")).isEqualTo(1);
        assertThat(counter(2, "Overflowed")).isEqualTo(2);
    }

    @Test
    void reportsWhatIsHeldWithoutTokensOfRestoredState() throws Exception {
        Capacity capacity =
                AtWindowClose.of(MINUTE, CapacityFormula.fixed(1), AdmissionOrder.POSITION);
        OperatorSubtaskState state;
        try (var harness = open(capacity)) {
            harness.send(block(2, 0, row(0, 5), row(2, 6), row(4, 7)));
            state = harness.snapshot(1, 1);
        }
        try (var harness = open(capacity, state)) {
            assertThat(held(2)).isZero();
            harness.send(block(2, 1, row(6, 60_000), row(8, 8)));
            assertThat(held(2)).isEqualTo(2);
            harness.processWatermark(59_999);
            assertThat(harness.decided()).as("three are restored").hasSize(4);
            assertThat(held(2)).isEqualTo(1);
        }
    }

    @Test
    void reportsOnlyTheExpertsOfTheSubtask() throws Exception {
        OperatorHarnesses.of(options)
                .capacity(FirstCome.of(MINUTE, 1))
                .metrics(metrics.task())
                .subtask(1, 2)
                .admission(0)
                .close();
        assertThat(counter(3, "Asked")).isZero();
        assertThatThrownBy(() -> counter(0, "Asked")).hasMessageContaining("is not reported");
    }

    private long counter(int expert, String event) {
        return metrics.counter("moe.expert.%d.numTokens%s".formatted(expert, event));
    }

    private long held(int expert) {
        return metrics.gauge("moe.expert.%d.tokensHeld".formatted(expert)).longValue();
    }

    private static Row row(int choice, long timestamp) {
        return new Row(choice, timestamp, "s", 1, 1);
    }

    private AdmissionHarness open(Capacity capacity, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .metrics(metrics.task())
                .capacity(capacity)
                .restore(states)
                .admission(0);
    }
}
