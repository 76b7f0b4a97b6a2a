// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class RoutingMonitorTest {

    private static final int N = 6;
    private static final int K = 2;
    private static final int RANKS = 3;
    private static final Offset<Double> CLOSE = within(1e-12);

    private final Random random = new Random(4);

    @Test
    void isTheHealthOfTheTokensThatWereAdded() {
        RoutingMonitor monitor = new RoutingMonitor(N, K, 1);

        assertIsHealthOfAll(monitor, 50);
        assertIsHealthOfAll(monitor, 7);
        assertThatThrownBy(monitor::drain).hasMessage("no token was added");
    }

    private void assertIsHealthOfAll(RoutingMonitor monitor, int tokens) {
        float[] logits = logits(tokens);
        int[] experts = new int[tokens * RANKS];
        float[] weights = new float[tokens * RANKS];
        new TopKRouter(RoutingConfig.mixtral(N, RANKS), RANKS)
                .route(logits, tokens, experts, weights, null);
        int[] first = new int[tokens * K];
        float[] theirs = new float[tokens * K];
        for (int token = 0; token < tokens; token++) {
            monitor.add(logits, experts, weights, RANKS, token);
            System.arraycopy(experts, token * RANKS, first, token * K, K);
            System.arraycopy(weights, token * RANKS, theirs, token * K, K);
        }
        assertThat(monitor.tokens()).isEqualTo(tokens);

        RoutingHealth health = monitor.drain();

        RoutingHealth expected = RoutingHealth.of(logits, first, theirs, N);
        assertThat(health.load()).containsExactly(expected.load());
        assertThat(health.share()).containsExactly(expected.share(), CLOSE);
        assertThat(health.deadExperts()).containsExactly(expected.deadExperts());
        assertThat(health.entropy()).isCloseTo(expected.entropy(), CLOSE);
        assertThat(health.importanceCv2()).isCloseTo(expected.importanceCv2(), CLOSE);
        assertThat(health.loadCv2()).isCloseTo(expected.loadCv2(), CLOSE);
        assertThat(health.loadBalancingLoss()).isCloseTo(expected.loadBalancingLoss(), CLOSE);
        assertThat(health.zLoss()).isCloseTo(expected.zLoss(), within(1e-10));
    }

    /** Counts are of all tokens also where probabilities are of some. */
    @Test
    void takesProbabilitiesOfEverySoManyTokens() {
        RoutingMonitor monitor = new RoutingMonitor(N, 1, 4);
        float[] logits = new float[8 * N];
        logits[0] = 10;
        logits[4 * N] = 10;
        for (int token = 0; token < 8; token++) {
            monitor.add(logits, new int[] {0, 1, 2, 3, 4, 5, 0, 1}, new float[8], 1, token);
        }

        RoutingHealth health = monitor.drain();

        assertThat(health.load()).containsExactly(2, 2, 1, 1, 1, 1);
        assertThat(health.entropy()).as("of the certain tokens only").isLessThan(0.01);
    }

    private float[] logits(int tokens) {
        float[] logits = new float[tokens * N];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) random.nextGaussian() * 3;
        }
        return logits;
    }
}
