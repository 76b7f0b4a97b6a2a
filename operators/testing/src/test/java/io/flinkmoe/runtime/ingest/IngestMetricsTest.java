// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.ReportedMetrics;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IngestMetricsTest {

    private final ReportedMetrics metrics = new ReportedMetrics();

    @TempDir private Path directory;

    @Test
    void ingestCountsTokensAndDeadLetters() throws Exception {
        Configuration options =
                TinyBundle.builder()
                        .inputSize(2)
                        .writeTo(directory.resolve("bundle"))
                        .options()
                        .set(MoeOptions.LANES, 2)
                        .set(MoeOptions.BATCH_SIZE, 3)
                        .set(MoeOptions.BATCH_LINGER, Duration.ofMillis(10));
        try (var harness = OperatorHarnesses.of(options).metrics(metrics.task()).ingest()) {
            for (int i = 0; i < 4; i++) {
                Token token = new Token("s", i, 0, new float[2]);
                harness.processElement(new StreamRecord<>(Arrival.of(token)));
            }
            Token bad = new Token("s", 4, 0, new float[1]);
            harness.processElement(
                    new StreamRecord<>(
                            Arrival.of(
                                    DeadLetter.of(
                                            bad,
                                            new Rejection(
                                                    Rejection.Kind.WIDTH, "is too narrow")))));
            harness.prepareSnapshotPreBarrier(1);
        }

        assertThat(metrics.counter("moe.ingest.numTokensIn")).isEqualTo(4);
        assertThat(metrics.counter("moe.ingest.numTokensDeadLettered")).isEqualTo(1);
        assertThat(metrics.counter("moe.ingest.kind.width.numTokensDeadLettered")).isEqualTo(1);
        assertThat(metrics.counter("moe.ingest.kind.json.numTokensDeadLettered")).isZero();
        assertThat(metrics.histogram("moe.ingest.batchSize").getStatistics().getValues())
                .containsExactly(3, 1);
    }
}
