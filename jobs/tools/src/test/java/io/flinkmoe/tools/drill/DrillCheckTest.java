// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Token;
import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.schemas.ScoredToken;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A drill must see whatever goes wrong. */
class DrillCheckTest {

    private static final String STREAM = "LAS";
    private static final Choice CHOICE = new Choice(3, 0.5f, Outcome.EXECUTED);

    private final List<Token> sent = List.of(token(0), token(2), token(1), token(3));
    private final List<ScoredToken> good = List.of(answer(0), answer(2), answer(1), answer(3));

    @Test
    void sameAnswersAreInOrder() {
        DrillCheck check = check(good);

        assertThat(check).isEqualTo(new DrillCheck(0, 0, 0, 0, 0, Map.of(Outcome.EXECUTED, 4L)));
    }

    @Test
    void missingDoubledAndUnknownAnswersAreCounted() {
        List<ScoredToken> found = new ArrayList<>(good);
        found.remove(1);
        found.add(answer(3));
        found.add(answer(99));

        assertThat(check(found).missing()).isEqualTo(1);
        assertThat(check(found).duplicated()).isEqualTo(2);
    }

    @Test
    void orderIsThatOfSending() {
        assertThat(check(List.of(answer(0), answer(1), answer(2), answer(3))).outOfOrder())
                .isEqualTo(1);
    }

    @Test
    void aBitOfAValueOrAWeightCounts() {
        ScoredToken value = answer(0, Math.nextUp(0f), CHOICE);
        ScoredToken weight = answer(2, 0, new Choice(3, Math.nextUp(0.5f), Outcome.EXECUTED));

        DrillCheck check = check(List.of(value, weight, answer(1), answer(3)));

        assertThat(check.differentBits()).isEqualTo(2);
        assertThat(check.differentOutcomes()).isZero();
    }

    @Test
    void anotherExpertOrOutcomeCounts() {
        ScoredToken expert = answer(0, 0, new Choice(5, 0.5f, Outcome.EXECUTED));
        ScoredToken outcome = answer(2, 0, new Choice(3, 0.5f, Outcome.LATE));

        DrillCheck check = check(List.of(expert, outcome, answer(1), answer(3)));

        assertThat(check.differentOutcomes()).isEqualTo(2);
        assertThat(check.count(Outcome.LATE)).isEqualTo(1);
    }

    @Test
    void reportWantsOverflowReroutesAndLateTokens() {
        DrillReport report = new DrillReport(4, check(good), check(good), 0, 0);

        assertThat(report.defects())
                .hasSize(3)
                .anyMatch(defect -> defect.startsWith("no choice was REROUTED"));
    }

    private DrillCheck check(List<ScoredToken> found) {
        return DrillCheck.of(sent, answers(good), answers(found));
    }

    private static DrillAnswers answers(List<ScoredToken> answers) {
        return new DrillAnswers(Map.of(STREAM, answers), 0);
    }

    private static Token token(long position) {
        return new Token(STREAM, position, 0, new float[] {0});
    }

    private static ScoredToken answer(long position) {
        return answer(position, 0, CHOICE);
    }

    private static ScoredToken answer(long position, float value, Choice choice) {
        return ScoredToken.newBuilder()
                .setStream(STREAM)
                .setPosition(position)
                .setTimestamp(Instant.EPOCH)
                .setValues(List.of(value))
                .setModelVersion("1")
                .setLayers(List.of(LayerDecision.newBuilder().setChoices(List.of(choice)).build()))
                .build();
    }
}
