// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.admitted;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.entries;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.kill;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.late;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.sent;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.undecided;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.ReportedMetrics;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What a dispatch keeps in state, and what it reports about it. */
@ParameterizedClass
@EnumSource
class DispatchStateTest {

    /** Of each lane: the next batch to leave, and the number that the next batch gets. */
    private static final int ENTRIES_OF_A_LANE = 2;

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static Configuration options;

    @BeforeAll
    static void writeBundle() {
        options = DispatchBlocks.options(directory.resolve("bundle"));
    }

    private OperatorHarnesses harnesses(Configuration settings) throws Exception {
        return OperatorHarnesses.of(settings).stateBackend(backend.make());
    }

    private DispatchHarness open() throws Exception {
        return harnesses(options).dispatch(0);
    }

    @Test
    void nothingOfATokenStaysInStateWhenItsBatchHasLeft() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1", "b@2"), late(0, 1, "a@3"), late(2, 0, "c@1"));
            harness.send(admitted(0, 0, 0, 3), admitted(0, 0, 1, 2));
            assertThat(entries(harness, "vectors")).isEqualTo(3);
            harness.runSlices();
            assertThat(entries(harness, "vectors")).isZero();
            assertThat(entries(harness, "choices")).isZero();
            assertThat(harness.numKeyedStateEntries()).isEqualTo(2 * ENTRIES_OF_A_LANE);
        }
    }

    @Test
    void nothingStaysInStateWhenBatchesHaveLeftOutOfOrder() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1"), undecided(0, 1, "b@2"), undecided(0, 2, "c@3"));
            harness.send(undecided(0, 3, "a@4", "c@5"));
            harness.send(admitted(0, 2, 0, 1), admitted(0, 1, 0, 1), admitted(0, 3, 2, 3));
            harness.processBothWatermarks(new Watermark(10));
            assertThat(sent(harness)).containsExactly("0/0: b@2", "0/1: c@3", "0/2: c@5");
            assertThat(entries(harness, "vectors")).as("batches 0 and 3").isEqualTo(2);

            harness.send(admitted(0, 3, 0, 1), admitted(0, 0, 0, 1));
            harness.runSlices();
            assertThat(entries(harness, "vectors")).isZero();
            assertThat(entries(harness, "choices")).isZero();
            assertThat(harness.numKeyedStateEntries()).isEqualTo(ENTRIES_OF_A_LANE);
        }
    }

    @Test
    void nothingStaysInStateWhenDecisionsCameBeforeTheirVectors() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(admitted(0, 1, 0, 1), admitted(0, 0, 0, 1));
            assertThat(entries(harness, "choices")).isEqualTo(2);
            harness.send(undecided(0, 0, "a@1"), undecided(0, 1, "a@2"));
            harness.runSlices();
            assertThat(entries(harness, "choices")).isZero();
            assertThat(harness.numKeyedStateEntries()).isEqualTo(ENTRIES_OF_A_LANE);
        }
    }

    @Test
    void nothingStaysInStateAfterARestartInBetween() throws Exception {
        DispatchHarness killed = open();
        killed.send(undecided(0, 0, "a@1"), undecided(0, 1, "b@2"), undecided(0, 2, "a@3", "c@4"));
        killed.send(admitted(0, 1, 0, 1), admitted(0, 2, 2, 3), admitted(0, 2, 0));
        killed.processBothWatermarks(new Watermark(10));
        OperatorSubtaskState state = killed.snapshot(1, 1);
        kill(killed);

        try (DispatchHarness harness = harnesses(options).restore(state).dispatch(0)) {
            assertThat(entries(harness, "vectors")).as("batches 0 and 2").isEqualTo(2);
            harness.send(admitted(0, 2, 1), admitted(0, 0, 0, 1));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/2: a@1", "0/3: a@3");
            assertThat(harness.numKeyedStateEntries()).isEqualTo(ENTRIES_OF_A_LANE);
        }
    }

    @Test
    void otherLanesAreRefused() throws Exception {
        assertRefused(new Configuration(options).set(MoeOptions.LANES, 8), "moe.lanes is 8");
    }

    @Test
    void anotherNumberOfExpertsIsRefused() throws Exception {
        assertRefused(bundle(8, DispatchBlocks.D), "num_experts of layer 0 is 8");
    }

    @Test
    void anotherWidthIsRefused() throws Exception {
        assertRefused(bundle(DispatchBlocks.N, 5), "input_size of layer 0 is 5");
    }

    private Configuration bundle(int numExperts, int hiddenSize) {
        return TinyBundle.builder()
                .numExperts(numExperts)
                .hiddenSize(hiddenSize)
                .writeTo(directory.resolve(backend + "-" + numExperts + "-" + hiddenSize))
                .options()
                .set(MoeOptions.LANES, DispatchBlocks.LANES);
    }

    private void assertRefused(Configuration others, String message) throws Exception {
        OperatorSubtaskState state;
        try (DispatchHarness harness = open()) {
            state = harness.snapshot(1, 1);
        }
        assertThatThrownBy(() -> harnesses(others).restore(state).dispatch(0))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining(message);
    }

    @Test
    void metricsCountTokensThatWaitAndThatLeave() throws Exception {
        ReportedMetrics metrics = new ReportedMetrics();
        DispatchHarness killed = harnesses(options).metrics(metrics.task()).dispatch(0);
        killed.send(undecided(0, 0, "a@1", "b@2", "c@3"), undecided(1, 0, "d@1"));
        killed.send(admitted(1, 1, 0, 1)); // Its vectors come later.
        assertMetrics(metrics, 4, 0);
        killed.send(admitted(0, 0, 2, 3, 4, 5));
        assertMetrics(metrics, 4, 0);
        killed.processBothWatermarks(new Watermark(10));
        assertMetrics(metrics, 2, 2);
        OperatorSubtaskState state = killed.snapshot(1, 1);
        kill(killed);

        ReportedMetrics restored = new ReportedMetrics();
        try (DispatchHarness harness =
                harnesses(options).metrics(restored.task()).restore(state).dispatch(0)) {
            assertMetrics(restored, 2, 0);
            harness.send(admitted(0, 0, 0, 1), admitted(1, 0, 0, 1));
            harness.send(undecided(1, 1, "d@2"));
            assertMetrics(restored, 3, 0);
            harness.runSlices();
            assertMetrics(restored, 0, 3);
        }
    }

    private static void assertMetrics(ReportedMetrics metrics, long waiting, long left) {
        assertThat(metrics.gauge("moe.dispatch.tokensWaiting").longValue()).isEqualTo(waiting);
        assertThat(metrics.counter("moe.dispatch.numTokensOut")).isEqualTo(left);
    }
}
