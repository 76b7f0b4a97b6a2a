// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Outcome;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReplayTest {

    private static final List<Token> TOKENS =
            List.of(
                    new Token("a", 0, 1999, new float[] {1}),
                    new Token("b", 1, 2000, new float[] {2}),
                    new Token("a", 2, 3500, new float[] {3}));

    @Test
    void aLapBeginsWholeWindowsAfterTheOneBefore() {
        Replay replay = new Replay(TOKENS, 1000, 7, 0);

        for (int number = 0; number < 7; number++) {
            Token token = replay.token(number);
            Token first = TOKENS.get(number % 3);
            assertThat(token.stream()).isEqualTo(first.stream());
            assertThat(token.position()).isEqualTo(number);
            assertThat(token.values()).isEqualTo(first.values());
            assertThat(token.timestamp()).isEqualTo(first.timestamp() + number / 3 * 3000);
        }
    }

    @Test
    void countsTheOutcomesOfAllChoicesAndKeepsTheScoresOfTheTokens() {
        Replay replay = new Replay(TOKENS, 1000, 3, 0);

        replay.arrived(answer(2, 0.3f, Outcome.EXECUTED, Outcome.OVERFLOWED));
        replay.arrived(answer(0, 0.1f, Outcome.EXECUTED, Outcome.REROUTED));
        replay.arrived(answer(1, 0.2f, Outcome.OVERFLOWED, Outcome.EXECUTED));

        replay.requireComplete();
        assertThat(replay.scores()).containsExactly(0.1f, 0.2f, 0.3f);
        assertThat(replay.share(Outcome.EXECUTED)).isEqualTo(3 / 6.0, within(1e-9));
        assertThat(replay.share(Outcome.OVERFLOWED)).isEqualTo(2 / 6.0, within(1e-9));
        assertThat(replay.share(Outcome.REROUTED)).isEqualTo(1 / 6.0, within(1e-9));
    }

    @Test
    void isNotWholeWithoutAnAnswerOrWithALateChoice() {
        Replay incomplete = new Replay(TOKENS, 1000, 2, 0);
        incomplete.arrived(answer(0, 0.1f, Outcome.EXECUTED, Outcome.EXECUTED));
        Replay late = new Replay(TOKENS, 1000, 1, 0);
        late.arrived(answer(0, 0.1f, Outcome.LATE, Outcome.LATE));

        assertThatIllegalStateException()
                .isThrownBy(incomplete::requireComplete)
                .withMessageContaining("1 of 2 tokens have an answer");
        assertThatIllegalStateException()
                .isThrownBy(late::requireComplete)
                .withMessageContaining("2 choices were late or failed");
    }

    private static ScoredToken answer(long position, float score, Outcome... outcomes) {
        Decision decision = new Decision(new int[] {0, 1}, new float[] {0.5f, 0.5f}, outcomes);
        return new ScoredToken(
                "a", position, 0, new float[] {score}, "1", new Decision[] {decision});
    }
}
