// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SoakSamplesTest {

    private static final long MEBI = 1 << 20;

    @Test
    void flatMemoryWithGarbageIsNoGrowth() {
        SoakSamples samples = new SoakSamples();
        for (int i = 0; i < 60; i++) {
            samples.add(sample(i, 100 + i * 37 % 300, 900 + i % 3, 5 + i % 2));
        }

        assertThat(samples.growth()).isEmpty();
        assertThat(samples.rate()).isEqualTo(1_000);
    }

    @Test
    void warmingUpIsNoGrowth() {
        SoakSamples samples = new SoakSamples();
        for (int i = 0; i < 60; i++) {
            samples.add(sample(i, Math.min(i, 14) * 20, Math.min(i, 14) * 60, 5));
        }

        assertThat(samples.growth()).isEmpty();
    }

    @Test
    void whatGrowsIsNamed() {
        SoakSamples samples = new SoakSamples();
        for (int i = 0; i < 60; i++) {
            samples.add(sample(i, 100 + i * 3, 900 + 2 * i, 5 + i));
        }

        assertThat(samples.growth()).hasSize(3);
        assertThat(samples.growth().get(0)).startsWith("heap grew from");
        assertThat(samples.growth().get(1)).startsWith("resident memory grew from");
        assertThat(samples.growth().get(2)).startsWith("state grew from");
    }

    @Test
    void tooFewSamplesProveNothing() {
        assertThat(new SoakSamples().growth()).singleElement().asString().contains("0 samples");
    }

    private static SoakSamples.Sample sample(int i, long heap, long resident, long state) {
        return new SoakSamples.Sample(
                10.0 * i, 10_000L * i, heap * MEBI, resident * MEBI, state * MEBI);
    }
}
