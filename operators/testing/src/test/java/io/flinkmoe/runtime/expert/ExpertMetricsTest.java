// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static io.flinkmoe.runtime.expert.ExpertBlocks.N;
import static io.flinkmoe.runtime.expert.ExpertBlocks.rows;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.ReportedMetrics;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.ExpertHarness;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExpertMetricsTest {

    private final ReportedMetrics metrics = new ReportedMetrics();

    @TempDir private Path directory;
    private Configuration options;
    private String version;

    @BeforeEach
    void writeBundle() {
        Bundle bundle = NumberedBundle.write(directory.resolve("bundle"), N, 2, 1);
        version = bundle.spec().version();
        options = ExpertBlocks.options(bundle);
    }

    @Test
    void countsByExpertWhatBecameOfItsTokens() throws Exception {
        try (var harness = open()) {
            harness.send(rows(3, 0, 0, 1, 2, 3), rows(0, 2, 4));
            assertThat(waiting(3)).isEqualTo(1);
            assertThat(waiting(0)).isEqualTo(1);
            harness.setProcessingTime(5);
            assertThat(waiting(3)).isZero();
            assertThat(waiting(0)).isZero();
        }

        assertThat(metrics.counter("moe.expert.3.numTokensIn")).isEqualTo(4);
        assertThat(metrics.counter("moe.expert.3.numTokensExecuted")).isEqualTo(4);
        assertThat(metrics.counter("moe.expert.3.numTokensFailed")).isZero();
        assertThat(metrics.counter("moe.expert.0.numTokensExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.1.numTokensIn")).isZero();
        assertThat(metrics.histogram("moe.expert.3.batchSize").getStatistics().getValues())
                .containsExactly(3, 1);
        assertThat(metrics.histogram("moe.expert.3.inferenceTimeUs").getCount()).isEqualTo(2);
        assertThat(metrics.histogram("moe.expert.3.queueTimeUs").getCount()).isEqualTo(2);
    }

    @Test
    void countsOutputsThatAreNotFiniteAsFailed() throws Exception {
        try (var harness = open()) {
            byte[] huge = Floats.toBytes(new float[] {1, 1, 1, 1, 3e38f, 0, 0, 0});
            harness.send(new ExpertRows(1, 0, 0, new int[] {0, 1}, Vectors.of(huge)));
            harness.setProcessingTime(5);
        }

        assertThat(metrics.counter("moe.expert.1.numTokensExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.1.numTokensFailed")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.1.numNonFiniteOutputs")).isEqualTo(1);
    }

    @Test
    void countsRowsThatThrowAsFailed() throws Exception {
        options =
                ExpertBlocks.options(
                                NumberedBundle.write(
                                        directory.resolve("bad"), N, 2, FixedExperts.failing()))
                        .set(MoeOptions.EXPERT_ON_ERROR, MoeOptions.OnError.RESIDUAL);
        try (var harness = open()) {
            harness.send(rows(1, 0, 0, 1, 2));
        }
        assertThat(metrics.counter("moe.expert.1.numTokensIn")).isEqualTo(3);
        assertThat(metrics.counter("moe.expert.1.numTokensFailed")).isEqualTo(3);
        assertThat(metrics.counter("moe.expert.1.numNonFiniteOutputs")).isZero();
    }

    @Test
    void reportsRestoredRowsThatWait() throws Exception {
        OperatorSubtaskState state;
        try (var harness = OperatorHarnesses.of(options).expert(0)) {
            harness.send(rows(2, 0, 0, 1));
            state = harness.snapshot(1, 1);
        }
        try (var harness = open(state)) {
            assertThat(waiting(2)).isEqualTo(2);
            harness.setProcessingTime(5);
            assertThat(waiting(2)).isZero();
        }
    }

    @Test
    void reportsTheOpenModelsOfTheProcess() throws Exception {
        String group = "moe.model." + version;
        try (var harness = open()) {
            assertThat(metrics.gauge(group + ".sessionsLoaded").intValue())
                    .isGreaterThanOrEqualTo(N);
            assertThat(metrics.gauge(group + ".sessionBytesLoaded").longValue())
                    .isGreaterThan(N * 100L);
        }
    }

    private int waiting(int expert) {
        return metrics.gauge("moe.expert.%d.tokensWaiting".formatted(expert)).intValue();
    }

    private ExpertHarness open(OperatorSubtaskState... states) throws Exception {
        return OperatorHarnesses.of(options).metrics(metrics.task()).restore(states).expert(0);
    }
}
