// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import io.flinkmoe.api.Decision;
import io.flinkmoe.capacity.Outcome;
import org.junit.jupiter.api.Test;

class WindowLoadTest {

    private final WindowLoad load = new WindowLoad(3, 5);

    @Test
    void eachWindowHasItsTokensAndTheFirstOneWarmsUp() {
        int[] tokens = new int[4];
        for (int number = 0; number < 18; number++) {
            long window = load.windowOf(number);
            assertThat(load.timestampOf(number) / WindowLoad.WINDOW_MILLIS).isEqualTo(window);
            tokens[(int) window]++;
        }

        assertThat(tokens).containsExactly(3, 5, 5, 5);
        assertThat(load.tokensOf(0)).isZero();
        assertThat(load.tokensOf(1)).isEqualTo(3);
        assertThat(load.tokensOf(4)).isEqualTo(18);
    }

    @Test
    void aWindowThatIsClosedEndsBeforeTheNextToken() {
        assertThat(load.watermark()).isEqualTo(Long.MIN_VALUE);

        load.close(1);

        assertThat(load.watermark()).isEqualTo(load.timestampOf(load.tokensOf(2)) - 1);
    }

    @Test
    void onlyAllowedTokensAreSent() {
        assertThat(load.allows(0)).isFalse();

        load.allow(2);

        assertThat(load.allows(1)).isTrue();
        assertThat(load.allows(2)).isFalse();
    }

    @Test
    void aLateChoiceSpoilsTheMeasurement() {
        load.answered(layers(Outcome.EXECUTED, Outcome.OVERFLOWED));
        assertThatNoException().isThrownBy(load::requireOnTime);

        load.answered(layers(Outcome.EXECUTED, Outcome.LATE));

        assertThat(load.numAnswers()).isEqualTo(2);
        assertThatIllegalStateException()
                .isThrownBy(load::requireOnTime)
                .withMessageStartingWith("1 choices were late or failed");
    }

    @Test
    void namesOfStreamsHave16Bytes() {
        assertThat(WindowSource.streamName(0, 0).getBytes(UTF_8)).hasSize(16);
        assertThat(WindowSource.streamName(99, 63).getBytes(UTF_8)).hasSize(16);
    }

    private static Decision[] layers(Outcome... outcomes) {
        return new Decision[] {new Decision(new int[] {0, 1}, new float[] {.5f, .5f}, outcomes)};
    }
}
