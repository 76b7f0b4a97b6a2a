// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.ReportedMetrics;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.HealthWindows;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.RouterHarness;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RouterMetricsTest {

    private static final int N = 4;
    private static final int K = 2;
    private static final TumblingWindows MINUTE = new TumblingWindows(60_000);
    private final ReportedMetrics metrics = new ReportedMetrics();

    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = options(NumberedBundle.write(directory.resolve("bundle"), N, K, 1));
    }

    private static Configuration options(Bundle bundle) {
        return new Configuration()
                .set(MoeOptions.BUNDLE, bundle.directory().toString())
                .set(MoeOptions.LANES, 2)
                .set(MoeOptions.BATCH_SIZE, 8);
    }

    @Test
    void routerCountsTokensAndKnowsTheHealthOfTheLastWindow() throws Exception {
        Capacity capacity = FirstCome.of(MINUTE, 100);
        try (var harness = router(capacity)) {
            harness.send(block(new long[] {0, 1, 60_000}, 0, 0, 3));
            assertThat(metrics.gauge("moe.router.loadCv2").doubleValue()).isNaN();

            harness.processWatermark(59_999);
            harness.send(block(new long[] {2}, 1));

            // Experts 0 and 1 twice each: the ones after the best are taken in order.
            assertThat(metrics.gauge("moe.router.loadCv2").doubleValue())
                    .isCloseTo(1, within(1e-6));
            assertThat(metrics.gauge("moe.router.deadExperts").intValue()).isEqualTo(2);
            assertThat(metrics.gauge("moe.router.expert.1.share").doubleValue()).isEqualTo(0.5);
            assertThat(metrics.gauge("moe.router.expert.3.share").doubleValue()).isZero();
            assertThat(metrics.gauge("moe.router.routerEntropy").doubleValue()).isPositive();
        }

        assertThat(metrics.counter("moe.router.numTokensIn")).isEqualTo(4);
        assertThat(metrics.counter("moe.router.numTokensRouted")).isEqualTo(4);
        assertThat(metrics.counter("moe.router.numTokensLate")).isEqualTo(1);
        assertThat(metrics.histogram("moe.router.batchSize").getStatistics().getValues())
                .containsExactly(3, 1);
        assertThat(metrics.histogram("moe.router.routingTimeUs").getCount()).isEqualTo(2);
    }

    @Test
    void routerWithoutWindowsKnowsTheHealthOfSoManyTokens() throws Exception {
        try (var harness = router(new Dropless())) {
            for (int tokens = 0; tokens < HealthWindows.TOKENS; tokens += 8) {
                assertThat(metrics.gauge("moe.router.deadExperts").doubleValue()).isNaN();
                harness.send(block(new long[8], 0, 1, 2, 3, 0, 1, 2, 3));
            }
            assertThat(metrics.gauge("moe.router.deadExperts").intValue()).isZero();
        }
    }

    @Test
    void routerCountsWhatTheModelCannotRead() throws Exception {
        options = options(NumberedBundle.writeWithStrictEncoder(directory.resolve("strict"), N, K));
        try (var harness = router(new Dropless())) {
            harness.send(
                    (block(new long[2], 0, 0)
                            .withVectors(Floats.toBytes(new float[] {1, 0, 0, 0, 99, 0, 0, 0}))));
        }

        assertThat(metrics.counter("moe.router.numTokensIn")).isEqualTo(2);
        assertThat(metrics.counter("moe.router.numTokensRouted")).isEqualTo(1);
        assertThat(metrics.counter("moe.router.numTokensDeadLettered")).isEqualTo(1);
    }

    private RouterHarness router(Capacity capacity) throws Exception {
        return OperatorHarnesses.of(options).metrics(metrics.task()).capacity(capacity).router(0);
    }

    /** Tokens that prefer the given experts. */
    private static TokenBlock block(long[] timestamps, int... preferred) {
        float[] rows = new float[preferred.length * N];
        String[] streams = new String[preferred.length];
        long[] positions = new long[preferred.length];
        for (int row = 0; row < preferred.length; row++) {
            rows[row * N + preferred[row]] = 3;
            streams[row] = "s";
            positions[row] = row;
        }
        return new TokenBlock(
                0, streams, positions, timestamps, Floats.toBytes(rows), new Choices[0]);
    }
}
