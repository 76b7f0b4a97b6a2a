// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.ReportedMetrics;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.ExpertHarness;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExpertMetricsTest {

    private static final int N = 4;
    private static final int K = 2;
    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);
    private final ReportedMetrics metrics = new ReportedMetrics();

    @TempDir private Path directory;
    private Configuration options;
    private String version;

    @BeforeEach
    void writeBundle() {
        Bundle bundle = NumberedBundle.write(directory.resolve("bundle"), N, K, 1);
        version = bundle.spec().version();
        options = ExpertBlocks.options(bundle);
    }

    @Test
    void expertCountsByExpertWhatBecameOfItsTokens() throws Exception {
        try (var harness = expert(FirstCome.of(MINUTE, 2))) {
            harness.send(block(3, 0, 0, 1, 2, 60_000));
            harness.processWatermark(59_999);
            harness.send(block(3, 1, 3, 60_001), block(0, 2, 60_000));
            assertThat(metrics.gauge("moe.expert.0.tokensWaiting").intValue()).isEqualTo(1);
            harness.prepareSnapshotPreBarrier(1);
            assertThat(metrics.gauge("moe.expert.0.tokensWaiting").intValue()).isZero();
        }

        assertThat(metrics.counter("moe.expert.3.numTokensIn")).isEqualTo(6);
        assertThat(metrics.counter("moe.expert.3.numTokensExecuted")).isEqualTo(4);
        assertThat(metrics.counter("moe.expert.3.numTokensOverflowed")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.3.numTokensLate")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.3.numTokensFailed")).isZero();
        assertThat(metrics.counter("moe.expert.0.numTokensExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.1.numTokensIn")).isZero();
        assertThat(metrics.histogram("moe.expert.3.batchSize").getStatistics().getValues())
                .containsExactly(3, 1);
        assertThat(metrics.histogram("moe.expert.3.inferenceTimeUs").getCount()).isEqualTo(2);
        assertThat(metrics.histogram("moe.expert.3.queueTimeUs").getCount()).isEqualTo(2);
    }

    @Test
    void expertCountsAnswersThatAreNotFiniteAsFailed() throws Exception {
        try (var harness = expert(new Dropless())) {
            DispatchBlock block = block(1, 0, 0, 0);
            byte[] huge = Floats.toBytes(new float[] {1, 1, 1, 1, 3e38f, 0, 0, 0});
            harness.send(
                    new DispatchBlock(
                            1,
                            0,
                            0,
                            0,
                            block.choices(),
                            new long[2],
                            Priorities.NONE,
                            Vectors.of(huge)));
            harness.prepareSnapshotPreBarrier(1);
        }

        assertThat(metrics.counter("moe.expert.1.numTokensExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.1.numTokensFailed")).isEqualTo(1);
    }

    @Test
    void expertThatPrioritizesReportsWhatItHolds() throws Exception {
        Capacity capacity =
                AtWindowClose.of(MINUTE, CapacityFormula.fixed(1), AdmissionOrder.POSITION);
        try (var harness = expert(capacity)) {
            harness.send(prioritized(2, 0, 5, 6, 7));
            assertThat(metrics.gauge("moe.expert.2.tokensWaiting").intValue()).isEqualTo(3);
            harness.processWatermark(59_999);
            assertThat(metrics.gauge("moe.expert.2.tokensWaiting").intValue()).isZero();
        }

        assertThat(metrics.counter("moe.expert.2.numTokensExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.expert.2.numTokensOverflowed")).isEqualTo(2);
    }

    @Test
    void processReportsItsOpenModels() throws Exception {
        String group = "moe.model." + version;
        try (var harness = expert(new Dropless())) {
            assertThat(metrics.gauge(group + ".sessionsLoaded").intValue())
                    .isGreaterThanOrEqualTo(N);
            assertThat(metrics.gauge(group + ".sessionBytesLoaded").longValue())
                    .isGreaterThan(N * 100L);
        }
    }

    private ExpertHarness expert(Capacity capacity) throws Exception {
        return OperatorHarnesses.of(options).metrics(metrics.task()).capacity(capacity).expert(0);
    }

    private static DispatchBlock block(int expert, long batch, long... timestamps) {
        int[] choices = new int[timestamps.length];
        for (int i = 0; i < choices.length; i++) {
            choices[i] = i;
        }
        return new DispatchBlock(
                expert,
                0,
                batch,
                0,
                choices,
                timestamps,
                Priorities.NONE,
                Vectors.of(new byte[timestamps.length * N * Float.BYTES]));
    }

    private static DispatchBlock prioritized(int expert, long batch, long... timestamps) {
        DispatchBlock plain = block(expert, batch, timestamps);
        Priorities priorities = Priorities.ofRows(timestamps.length, 1);
        for (int row = 0; row < timestamps.length; row++) {
            priorities.streams()[row] = "s";
            priorities.positions()[row] = row;
        }
        return new DispatchBlock(
                expert, 0, batch, 0, plain.choices(), timestamps, priorities, plain.vectors());
    }
}
