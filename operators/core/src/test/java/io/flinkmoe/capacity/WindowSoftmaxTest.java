// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class WindowSoftmaxTest {

    @Test
    void isTheSoftmaxOverTheTokensOfTheWindow() {
        float[] shares = WindowSoftmax.of(new float[] {0, (float) Math.log(2), 0});

        assertThat(shares).containsExactly(new float[] {0.25f, 0.5f, 0.25f}, within(1e-7f));
        assertThat(WindowSoftmax.of(new float[] {-7})).containsExactly(1);
        assertThat(WindowSoftmax.of(new float[0])).isEmpty();
    }

    @Test
    void givesTheSameBitsInWhateverOrderTokensArrive() {
        Random random = new Random(1);
        float[] logits = new float[200];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (10 * random.nextGaussian());
        }
        float[] shares = WindowSoftmax.of(logits);
        float[] reversed = new float[logits.length];
        for (int i = 0; i < logits.length; i++) {
            reversed[i] = logits[logits.length - 1 - i];
        }
        float[] ofReversed = WindowSoftmax.of(reversed);
        for (int i = 0; i < logits.length; i++) {
            assertThat(ofReversed[i]).isEqualTo(shares[logits.length - 1 - i]);
        }
    }
}
