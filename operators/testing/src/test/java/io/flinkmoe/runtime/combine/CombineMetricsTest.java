// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.ReportedMetrics;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.CombineHarness;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CombineMetricsTest {

    private static final int N = 4;
    private static final int K = 2;
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
    void combineCountsOutcomesAndWhatWaits() throws Exception {
        try (var harness = combine()) {
            harness.setProcessingTime(1_500);
            TokenBlock tokens = block(new long[] {500, 700}, 0, 1);
            Choices choices =
                    new Choices(
                            K,
                            new int[] {0, 1, 1, 0},
                            new float[4],
                            new byte[] {Choices.PENDING, Outcome.LATE.code(), Choices.PENDING, 2});
            harness.send(new RoutedBlock(0, tokens, choices));
            assertThat(metrics.gauge("moe.combine.tokensWaiting").intValue()).isEqualTo(2);

            harness.send(answer(0, Outcome.EXECUTED));
            harness.send(answer(2, Outcome.FAILED));
            assertThat(metrics.gauge("moe.combine.tokensWaiting").intValue()).isZero();
        }

        assertThat(metrics.counter("moe.combine.numTokensOut")).isEqualTo(2);
        assertThat(metrics.counter("moe.combine.numChoicesExecuted")).isEqualTo(1);
        assertThat(metrics.counter("moe.combine.numChoicesRerouted")).isZero();
        assertThat(metrics.counter("moe.combine.numChoicesOverflowed")).isEqualTo(1);
        assertThat(metrics.counter("moe.combine.numChoicesLate")).isEqualTo(1);
        assertThat(metrics.counter("moe.combine.numChoicesFailed")).isEqualTo(1);
        assertThat(metrics.histogram("moe.combine.endToEndLatencyMs").getStatistics().getMax())
                .isEqualTo(1_000);
    }

    private CombineHarness combine() throws Exception {
        return OperatorHarnesses.of(options).metrics(metrics.task()).combine(0);
    }

    private static ContributionBlock answer(int choice, Outcome outcome) {
        boolean executed = outcome == Outcome.EXECUTED;
        return new ContributionBlock(
                0,
                0,
                new int[] {choice},
                new byte[] {outcome.code()},
                Vectors.of(new byte[executed ? N * Float.BYTES : 0]));
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
