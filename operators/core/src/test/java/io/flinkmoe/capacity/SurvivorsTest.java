package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SurvivorsTest {

    /** Two tokens of two choices: the first loses its second choice, the other both. */
    private static final float[] SCORES = {0.5f, 0.25f, 0.5f, 0.25f};

    private static final boolean[] EXECUTED = {true, false, false, false};

    @Test
    void rawScoresStayAsTheyAre() {
        assertThat(Survivors.RAW.weights(SCORES, EXECUTED, 2)).containsExactly(0.5f, 0, 0, 0);
    }

    @Test
    void normalisedBeforeDroppingASurvivorKeepsItsShare() {
        assertThat(Survivors.SHARE_OF_ALL.weights(SCORES, EXECUTED, 2))
                .containsExactly((float) (2 / 3.0), 0, 0, 0);
    }

    @Test
    void normalisedAfterDroppingASurvivorTakesAll() {
        assertThat(Survivors.SHARE_OF_SURVIVORS.weights(SCORES, EXECUTED, 2))
                .containsExactly(1, 0, 0, 0);
    }

    @Test
    void aSurvivorBelowTheLimitOfTheDenominatorStaysBelowOne() {
        float[] scores = {1, 0x1p-24f};
        boolean[] executed = {false, true};

        assertThat(Survivors.SHARE_OF_SURVIVORS.weights(scores, executed, 2))
                .containsExactly(0, 0.5f);
    }
}
