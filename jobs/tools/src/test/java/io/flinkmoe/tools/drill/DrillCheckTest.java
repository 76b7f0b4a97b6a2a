// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Token;
import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.schemas.ScoredToken;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A drill must see whatever goes wrong. */
class DrillCheckTest {

    private static final String STREAM = "LAS";
    private static final Choice CHOICE = new Choice(3, 0.5f, Outcome.EXECUTED, List.of());

    private static final Duration WINDOW = Duration.ofSeconds(1);

    private final List<Token> sent = List.of(token(0), token(2), token(1), token(3));
    private final List<ScoredToken> good = List.of(answer(0), answer(2), answer(1), answer(3));

    @Test
    void sameAnswersAreInOrder() {
        DrillCheck check = check(good);

        assertThat(check).isEqualTo(new DrillCheck(4, Map.of(), Map.of(Outcome.EXECUTED, 4L)));
    }

    @Test
    void missingDoubledAndUnknownAnswersAreCounted() {
        List<ScoredToken> found = new ArrayList<>(good);
        found.remove(1);
        found.add(answer(3));
        found.add(answer(99));

        assertThat(check(found).count(Difference.MISSING)).isEqualTo(1);
        assertThat(check(found).count(Difference.DUPLICATED)).isEqualTo(2);
    }

    @Test
    void orderIsThatOfSending() {
        DrillCheck check = check(List.of(answer(0), answer(1), answer(2), answer(3)));

        assertThat(check.count(Difference.OUT_OF_ORDER)).isEqualTo(1);
    }

    @Test
    void aBitOfAValueOrAWeightCounts() {
        ScoredToken value = answer(0, Math.nextUp(0f), CHOICE);
        ScoredToken weight =
                answer(2, 0, new Choice(3, Math.nextUp(0.5f), Outcome.EXECUTED, List.of()));

        DrillCheck check = check(List.of(value, weight, answer(1), answer(3)));

        assertThat(check.count(Difference.BITS)).isEqualTo(2);
        assertThat(check.count(Difference.OUTCOMES)).isZero();
    }

    @Test
    void answersWithoutOutputAreCompared() {
        ScoredToken none = ScoredToken.newBuilder(answer(0)).setValues(null).build();
        ScoredToken gates =
                answer(2, 0, new Choice(3, 0.5f, Outcome.EXECUTED, List.of(0.25f, 0.25f)));

        for (AnswerRule rule : List.of(AnswerRule.SAME, new FirstComeAnswers(WINDOW, 1))) {
            assertThat(rule.compare(none, none)).isEmpty();
            assertThat(rule.compare(none, answer(0))).containsExactly(Difference.BITS);
            assertThat(rule.compare(answer(0), none)).containsExactly(Difference.BITS);
            assertThat(rule.compare(answer(2), gates)).containsExactly(Difference.BITS);
        }
    }

    @Test
    void anotherExpertOrOutcomeCounts() {
        ScoredToken expert = answer(0, 0, new Choice(5, 0.5f, Outcome.EXECUTED, List.of()));
        ScoredToken outcome = answer(2, 0, new Choice(3, 0.5f, Outcome.LATE, List.of()));

        DrillCheck check = check(List.of(expert, outcome, answer(1), answer(3)));

        assertThat(check.count(Difference.OUTCOMES)).isEqualTo(2);
        assertThat(check.count(Outcome.LATE)).isEqualTo(1);
    }

    @Test
    void reportWantsTheOutcomesOfItsMode() {
        assertThat(report(DrillMode.DROPLESS, good).defects()).isEmpty();
        assertThat(report(DrillMode.PRIORITIZED, good).defects())
                .hasSize(2)
                .anyMatch(defect -> defect.startsWith("no choice was OVERFLOWED"))
                .anyMatch(defect -> defect.startsWith("no choice was LATE"));
        assertThat(report(DrillMode.NEXT_EXPERT, good).defects())
                .hasSize(3)
                .anyMatch(defect -> defect.startsWith("no choice was REROUTED"));
    }

    @Test
    void reportAddsUpDifferencesAndNamesThem() {
        DrillReport report = report(DrillMode.DROPLESS, List.of(answer(0), answer(1), answer(2)));

        assertThat(report.differences()).isEqualTo(2);
        assertThat(report.defects())
                .containsExactly(
                        "1 tokens are missing", "1 tokens are out of order within their stream");
        assertThat(report.toString())
                .containsPattern("tokens +4\\R")
                .containsPattern("missing +1\\R")
                .containsPattern("out of order +1 +within their stream")
                .doesNotContain("wrong admissions");
    }

    @Test
    void reportNamesADifferenceOfTheUndisturbedRun() {
        List<ScoredToken> three = good.subList(0, 3);
        DrillCheck undisturbed =
                DrillCheck.of(sent, answers(three), answers(three), AnswerRule.SAME);

        DrillReport report = new DrillReport(DrillMode.DROPLESS, undisturbed, check(good), 0, 0);

        assertThat(report.defects()).contains("1 tokens are missing in the undisturbed run");
    }

    private DrillReport report(DrillMode mode, List<ScoredToken> found) {
        return new DrillReport(mode, check(good), check(found), 0, 0);
    }

    private DrillCheck check(List<ScoredToken> found) {
        return DrillCheck.of(sent, answers(good), answers(found), AnswerRule.SAME);
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
