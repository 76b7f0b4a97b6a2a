// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.testing.NumberedBundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FootprintTest {

    private static final int N = 4;
    private static final int K = 2;
    private static final int LAYERS = 3;
    private static final int D = N; // of a tiny bundle

    @TempDir private Path directory;

    private final Configuration options = new Configuration();
    private Bundle bundle;

    @BeforeEach
    void writeBundle() {
        bundle = NumberedBundle.write(directory, N, K, LAYERS);
    }

    private Footprint footprint() throws IOException {
        return Footprint.of(bundle, MoeSettings.of(options), 10);
    }

    @Test
    void modelsTakeWhatTheirFilesDo() throws IOException {
        long files;
        try (Stream<Path> paths = Files.walk(directory)) {
            files =
                    paths.filter(path -> path.toString().endsWith(".onnx"))
                            .mapToLong(path -> path.toFile().length())
                            .sum();
        }

        assertThat(footprint().sessions()).isEqualTo(LAYERS * (N + 1));
        assertThat(footprint().sessionBytes())
                .isBetween(files, files + LAYERS * (N + 1) * 262_144L);
    }

    @Test
    void buffersAreForACallOfTheRouterAndOneOfTheExperts() throws IOException {
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 100);

        long router = 10 * (D + 2 * D + N);
        long expert = 100 * 2 * D;
        assertThat(footprint().directBytes()).isEqualTo(LAYERS * (router + expert) * 4);
        assertThat(footprint().offHeapBytes(3))
                .isEqualTo(footprint().sessionBytes() + 3 * footprint().directBytes());
    }

    @Test
    void aWindowIsHeldInStateUnderPrioritizedAdmissionOnly() throws IOException {
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 7);
        assertThat(footprint().windowBytes(1000)).isZero();

        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        assertThat(footprint().windowBytes(1000)).isEqualTo(LAYERS * 1000 * (D * 4 + K * 100));
    }
}
