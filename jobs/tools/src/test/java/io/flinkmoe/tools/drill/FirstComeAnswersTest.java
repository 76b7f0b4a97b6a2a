// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static io.flinkmoe.schemas.Outcome.EXECUTED;
import static io.flinkmoe.schemas.Outcome.LATE;
import static io.flinkmoe.schemas.Outcome.OVERFLOWED;
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

/** First-come admission may choose other tokens after a failure, but may do nothing else. */
class FirstComeAnswersTest {

    private static final AnswerRule RULE = new FirstComeAnswers(Duration.ofSeconds(1), 2);

    /** Expert 3 is asked by three tokens of a window with a capacity of 2. */
    private final List<ScoredToken> undisturbed =
            List.of(
                    answer(0, 1f, layer(3, EXECUTED)),
                    answer(1, 1f, layer(3, EXECUTED)),
                    answer(2, 0f, layer(3, OVERFLOWED)),
                    answer(3, 0f, layer(3, LATE)));

    @Test
    void anotherTokenMayBeAdmitted() {
        DrillCheck check =
                check(
                        undisturbed.get(0),
                        answer(1, 0f, layer(3, OVERFLOWED)),
                        answer(2, 1f, layer(3, EXECUTED)),
                        undisturbed.get(3));

        assertThat(check.differences()).isEqualTo(Map.of(Difference.ARRIVAL, 2L));
        assertThat(report(check).differences()).isZero();
        assertThat(report(check).defects()).isEmpty();
        assertThat(report(check).toString()).containsPattern("decided otherwise +2 +tokens");
    }

    @Test
    void oneTooManyIsADifference() {
        DrillCheck check = check(replace(2, answer(2, 1f, layer(3, EXECUTED))));

        assertThat(check.count(Difference.ADMISSIONS)).isEqualTo(1);
        assertThat(report(check).defects()).isNotEmpty();
    }

    @Test
    void oneTooFewIsADifference() {
        DrillCheck check = check(replace(1, answer(1, 0f, layer(3, OVERFLOWED))));

        assertThat(check.count(Difference.ADMISSIONS)).isEqualTo(1);
    }

    @Test
    void capacityIsCountedPerWindowExpertAndLayer() {
        List<ScoredToken> answers = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            answers.add(answer(i, 1f, layer(3, EXECUTED), layer(3, EXECUTED)));
            answers.add(answer(1_000 + i, 1f, layer(3, EXECUTED), layer(3, EXECUTED)));
            answers.add(answer(i, 1f, layer(4, EXECUTED), layer(4, EXECUTED)));
        }

        assertThat(RULE.wrongAdmissions(answers)).isZero();

        answers.add(answer(1_002, 1f, layer(3, OVERFLOWED), layer(3, EXECUTED)));
        assertThat(RULE.wrongAdmissions(answers)).isEqualTo(1); // In the second layer.
    }

    @Test
    void aTokenThatIsLateInOneRunOnlyIsADifference() {
        assertThat(
                        check(replace(3, answer(3, 0f, layer(3, OVERFLOWED))))
                                .count(Difference.OUTCOMES))
                .isEqualTo(1);
        assertThat(check(replace(2, answer(2, 0f, layer(3, LATE)))).count(Difference.OUTCOMES))
                .isEqualTo(1);
    }

    @Test
    void anotherExpertIsADifference() {
        DrillCheck check = check(replace(1, answer(1, 1f, layer(4, EXECUTED))));

        assertThat(check.count(Difference.OUTCOMES)).isEqualTo(1);
    }

    @Test
    void sameOutcomesHaveTheSameBits() {
        Choice weight = new Choice(3, Math.nextUp(0.5f), EXECUTED, List.of());

        assertThat(check(replace(1, answer(1, Math.nextUp(1f), layer(3, EXECUTED)))).differences())
                .isEqualTo(Map.of(Difference.BITS, 1L));
        assertThat(check(replace(1, answer(1, 1f, layer(weight)))).differences())
                .isEqualTo(Map.of(Difference.BITS, 1L));
    }

    /** Without a residual, a token none of whose choices is executed has no output. */
    @Test
    void answersWithoutAnOutputAreCompared() {
        ScoredToken zero = answer(2, 0f, layer(3, OVERFLOWED));
        ScoredToken none = ScoredToken.newBuilder(zero).setValues(null).build();

        for (AnswerRule rule : List.of(RULE, new SameAnswers())) {
            assertThat(rule.compare(none, none)).isEmpty();
            assertThat(rule.compare(none, zero)).containsExactly(Difference.BITS);
        }
    }

    @Test
    void missingDoubledAndReorderedAnswersAreDifferencesToo() {
        DrillCheck check =
                check(
                        undisturbed.get(1),
                        undisturbed.get(0),
                        undisturbed.get(0),
                        undisturbed.get(2));

        assertThat(check.count(Difference.MISSING)).isEqualTo(1);
        assertThat(check.count(Difference.DUPLICATED)).isEqualTo(1);
        assertThat(check.count(Difference.OUT_OF_ORDER)).isEqualTo(1);
    }

    @Test
    void aLaterLayerMayDifferAfterAnotherOutcome() {
        ScoredToken expected = answer(0, 1f, layer(3, EXECUTED), layer(5, EXECUTED));

        assertThat(RULE.compare(expected, answer(0, 0f, layer(3, OVERFLOWED), layer(6, EXECUTED))))
                .containsExactly(Difference.ARRIVAL);
        assertThat(RULE.compare(expected, answer(0, 0f, layer(3, EXECUTED), layer(5, OVERFLOWED))))
                .containsExactly(Difference.ARRIVAL);
    }

    @Test
    void aLaterLayerMayNotDifferAfterTheSameOutcomes() {
        ScoredToken expected = answer(0, 1f, layer(3, EXECUTED), layer(5, EXECUTED));
        Choice weight = new Choice(3, 0.25f, EXECUTED, List.of());

        assertThat(RULE.compare(expected, answer(0, 1f, layer(3, EXECUTED), layer(6, EXECUTED))))
                .containsExactly(Difference.OUTCOMES);
        assertThat(RULE.compare(expected, answer(0, 0f, layer(weight), layer(5, OVERFLOWED))))
                .containsExactlyInAnyOrder(Difference.BITS, Difference.ARRIVAL);
        assertThat(RULE.compare(expected, answer(0, 1f, layer(3, EXECUTED))))
                .containsExactly(Difference.BITS);
    }

    private ScoredToken[] replace(int position, ScoredToken answer) {
        List<ScoredToken> answers = new ArrayList<>(undisturbed);
        answers.set(position, answer);
        return answers.toArray(ScoredToken[]::new);
    }

    private DrillCheck check(ScoredToken... found) {
        return check(List.of(found));
    }

    private DrillCheck check(List<ScoredToken> found) {
        List<Token> sent =
                undisturbed.stream()
                        .map(one -> new Token("LAS", one.getPosition(), 0, new float[] {0}))
                        .toList();
        return DrillCheck.of(sent, answers(undisturbed), answers(found), RULE);
    }

    private DrillReport report(DrillCheck check) {
        return new DrillReport(DrillMode.FIRST_COME, check(undisturbed), check, 0, 0);
    }

    private static DrillAnswers answers(List<ScoredToken> answers) {
        return new DrillAnswers(Map.of("LAS", answers), 0);
    }

    private static LayerDecision layer(int expert, Outcome outcome) {
        return layer(new Choice(expert, 0.5f, outcome, List.of()));
    }

    private static LayerDecision layer(Choice choice) {
        return LayerDecision.newBuilder().setChoices(List.of(choice)).build();
    }

    /** An answer; the position is also the timestamp. */
    private static ScoredToken answer(long position, float value, LayerDecision... layers) {
        return ScoredToken.newBuilder()
                .setStream("LAS")
                .setPosition(position)
                .setTimestamp(Instant.ofEpochMilli(position))
                .setValues(List.of(value))
                .setModelVersion("1")
                .setLayers(List.of(layers))
                .build();
    }
}
