// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static io.flinkmoe.testing.MoeAssertions.assertThat;
import static io.flinkmoe.testing.MoeAssertions.assertThatThrownBy;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class MoeAssertionsTest {

    private static final ScoredToken EXECUTED =
            token(
                    decision(5, Outcome.EXECUTED, 3, Outcome.EXECUTED),
                    decision(1, Outcome.REROUTED, 2, Outcome.EXECUTED));

    @Test
    void passWhereATokenWasExecuted() {
        assertThat(EXECUTED)
                .isExecuted()
                .wasRerouted()
                .hasValues(1, 2)
                .hasValuesCloseTo(new float[] {1.01f, 1.99f}, 0.02f)
                .layer(0)
                .wasExecutedBy(3, 5)
                .hasOutcomes(Outcome.EXECUTED, Outcome.EXECUTED)
                .layer(1)
                .wasExecutedBy(1, 2);
    }

    @Test
    void passForEveryOtherOutcome() {
        assertThat(token(decision(1, Outcome.OVERFLOWED, 2, Outcome.EXECUTED))).overflowed();
        assertThat(token(decision(1, Outcome.LATE, 2, Outcome.LATE))).isLate();
        assertThat(token(decision(1, Outcome.FAILED, 2, Outcome.EXECUTED)))
                .failed()
                .wasExecutedBy(2);
    }

    @Test
    void nameStreamPositionLayerExpectedAndFound() {
        fails(
                () -> assertThat(EXECUTED).layer(0).wasExecutedBy(3, 4),
                "stream card-1, position 7, layer 0: expected execution by experts [3, 4],"
                        + " but found expert 5 EXECUTED, expert 3 EXECUTED");
        fails(
                () -> assertThat(EXECUTED).overflowed(),
                "stream card-1, position 7: expected an overflowed choice, but found"
                        + " in layer 0: expert 5 EXECUTED, expert 3 EXECUTED;"
                        + " in layer 1: expert 1 REROUTED, expert 2 EXECUTED");
        fails(
                () -> assertThat(token(decision(1, Outcome.LATE, 2, Outcome.LATE))).isExecuted(),
                "stream card-1, position 7, layer 0: expected every choice executed or rerouted,"
                        + " but found expert 1 LATE, expert 2 LATE");
        fails(
                () -> assertThat(EXECUTED).isLate(),
                "stream card-1, position 7, layer 0: expected every choice late,"
                        + " but found expert 5 EXECUTED, expert 3 EXECUTED");
        fails(
                () -> assertThat(EXECUTED).layer(0).failed(),
                "stream card-1, position 7: expected a failed choice, but found"
                        + " in layer 0: expert 5 EXECUTED, expert 3 EXECUTED");
        fails(
                () -> assertThat(EXECUTED).layer(0).wasRerouted(),
                "stream card-1, position 7: expected a rerouted choice, but found"
                        + " in layer 0: expert 5 EXECUTED, expert 3 EXECUTED");
        fails(
                () -> assertThat(EXECUTED).layer(2),
                "stream card-1, position 7: there is no layer 2; it has 2");
        fails(
                () -> assertThat(EXECUTED).hasValues(1, 3),
                "stream card-1, position 7: expected values [1.0, 3.0], but found [1.0, 2.0]");
        fails(
                () -> assertThat(EXECUTED).hasValuesCloseTo(new float[] {1, Float.NaN}, 1),
                "stream card-1, position 7: expected values [1.0, NaN] within 1.0,"
                        + " but found [1.0, 2.0]");
        fails(
                () -> assertThat(EXECUTED).layer(0).hasOutcomes(Outcome.EXECUTED),
                "stream card-1, position 7, layer 0: expected outcomes [EXECUTED],"
                        + " but found expert 5 EXECUTED, expert 3 EXECUTED");
    }

    @Test
    void sumUpTheRoundsOfAnExpertInAWindow() {
        List<WindowSummary> summaries =
                List.of(
                        summary(WindowSummary.Source.ADMISSION, 0, 3, counts(5, 2, 3)),
                        summary(WindowSummary.Source.ADMISSION, 1, 3, counts(1, 1, 0)),
                        summary(WindowSummary.Source.COMBINE, 0, 3, counts(9, 9, 0)));
        ExpertLoads window = ExpertLoads.ofSummaries(summaries);

        assertThat(window).neverExceeds(3).hasLoad(0, 60_000, 3, 3).hasLoad(0, 60_000, 4, 0);
        fails(
                () -> assertThat(window).neverExceeds(2),
                "layer 0, window 60000, expert 3: expected at most 2 admitted choices,"
                        + " but found 3");
        fails(
                () -> assertThat(window).hasLoad(0, 60_000, 4, 1),
                "layer 0, window 60000, expert 4: expected 1 admitted choices, but found 0");
    }

    @Test
    void countTheChoicesOfScoredTokensByWindow() {
        ExpertLoads loads =
                ExpertLoads.ofTokens(List.of(EXECUTED, EXECUTED), Duration.ofSeconds(10));

        assertThat(loads.choices())
                .isEqualTo(
                        Map.of(
                                new ExpertLoads.Key(0, 10_000, 3), 2L,
                                new ExpertLoads.Key(0, 10_000, 5), 2L,
                                new ExpertLoads.Key(1, 10_000, 1), 2L,
                                new ExpertLoads.Key(1, 10_000, 2), 2L));
        assertThat(loads).neverExceeds(2);
    }

    @Test
    void checkASingleSummary() {
        WindowSummary summary = summary(WindowSummary.Source.ADMISSION, 1, 3, counts(5, 2, 3));

        assertThat(summary).neverExceeds(2).hasAdmitted(2).hasOverflowed(3).isBalanced();
        assertThat(summary).hasLate(0).hasFailed(0);
        fails(
                () -> assertThat(summary).neverExceeds(1),
                "layer 0, window 60000, expert 3, round 1: expected at most 1 admitted choices,"
                        + " but found 2");
        fails(
                () ->
                        assertThat(summary(WindowSummary.Source.ROUTER, 0, 2, counts(5, 2, 1)))
                                .isBalanced(),
                "layer 0, window 60000, ROUTER of lane 2: expected one outcome for each choice,"
                        + " but found "
                        + counts(5, 2, 1));
        fails(
                () -> assertThat(summary).hasLate(1),
                "layer 0, window 60000, expert 3, round 1: expected 1 late choices, but found 0");
    }

    private static void fails(ThrowingCallable assertion, String message) {
        assertThatThrownBy(assertion).isInstanceOf(AssertionError.class).hasMessage(message);
    }

    private static ScoredToken token(Decision... layers) {
        return new ScoredToken("card-1", 7, 12_345, new float[] {1, 2}, "v1", layers);
    }

    private static Decision decision(int first, Outcome one, int second, Outcome two) {
        return new Decision(
                new int[] {first, second}, new float[] {0.5f, 0.5f}, new Outcome[] {one, two});
    }

    private static WindowSummary summary(
            WindowSummary.Source source, int round, int key, WindowCounts counts) {
        boolean ofExpert = source == WindowSummary.Source.ADMISSION;
        int none = WindowSummary.NONE;
        return new WindowSummary(
                0, 60_000, source, round, ofExpert ? key : none, ofExpert ? none : key, counts);
    }

    private static WindowCounts counts(long asked, long admitted, long overflowed) {
        return new WindowCounts(asked, admitted, 0, 0, 0, overflowed, 0, 0, 0);
    }
}
