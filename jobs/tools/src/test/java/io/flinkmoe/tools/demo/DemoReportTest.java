// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.flights.ExpectedFlights;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class DemoReportTest {

    private static final boolean[] LATE = {true, false, true};

    private final DemoResults results = new DemoResults(3);

    @Test
    void allTokensScoredOnceHaveNoDefects() {
        for (int i = 0; i < 3; i++) {
            results.produced(i, 1000);
            results.scored(answer(i, LATE[i] ? 0.9f : 0.1f), 1000 + 10 * (i + 1), 1500);
        }

        DemoReport report = new DemoReport(results, LATE, null, gates(results, 4));

        assertThat(results.isComplete()).isTrue();
        assertThat(report.defects()).isEmpty();
        assertThat(report.auc()).isEqualTo(1);
        assertThat(report.toString().lines().map(line -> line.strip().replaceAll(" +", " ")))
                .contains(
                        "tokens in 3",
                        "tokens out 3 0 missing, 0 duplicated",
                        "throughput 66 tokens/s",
                        "latency until scored 20 ms p50, 30 ms p99",
                        "latency until committed 500 ms p50, 500 ms p99",
                        "executed 3 choices, 50.0 %",
                        "overflowed 3 choices, 50.0 %")
                .anyMatch(line -> line.startsWith("1 3 100.0 %"))
                .anyMatch(line -> line.startsWith("2 0 0.0 %"));
    }

    @Test
    void missingDoubledAndUnknownAnswersAreDefects() {
        results.scored(answer(0, 0.5f), 0, 0);
        results.scored(answer(0, 0.5f), 0, 0);
        results.scored(answer(7, 0.5f), 0, 0);
        results.deadLetter();

        assertThat(results.isComplete()).isFalse();
        assertThat(new DemoReport(results, LATE, null, gates(results, 4)).defects())
                .containsExactly(
                        "2 tokens have no answer",
                        "2 duplicate or unknown answers",
                        "1 tokens were rejected");
    }

    @Test
    void answersThatDifferFromTheExpectedAreDefects() throws Exception {
        ExpectedFlights expected = ExpectedFlights.read(Home.FLIGHTS);
        for (int i = 0; i < 3; i++) {
            results.scored(answer(i, expected.probability(i) + (i == 1 ? 2e-5f : 0)), 0, 0);
        }

        DemoReport report = new DemoReport(results, LATE, expected, gates(results, 8));

        assertThat(report.largestDifference()).isBetween(1.9e-5, 2.1e-5);
        assertThat(report.defects())
                .anyMatch(defect -> defect.startsWith("a probability differs by 2.0e-05"))
                .anyMatch(defect -> defect.endsWith("tokens went to unexpected experts"));
    }

    /** An answer whose first choice, expert 1, ran, and whose second, expert 3, had no room. */
    private static ScoredToken answer(long position, float probability) {
        List<Choice> choices =
                List.of(
                        new Choice(1, 0.75f, Outcome.EXECUTED, List.of()),
                        new Choice(3, 0.25f, Outcome.OVERFLOWED, List.of()));
        return new ScoredToken(
                "LAS",
                position,
                Instant.EPOCH,
                List.of(probability),
                null,
                "v1",
                List.of(new LayerDecision(choices)));
    }

    @Test
    void severalGatesHaveATableOfTheirOwn() {
        DemoResults two = new DemoResults(2);
        two.scored(answer(0, List.of(0.5f), List.of(0.75f, 0f), List.of(0.25f, 1f)), 0, 0);
        two.scored(answer(1, List.of(0.5f), List.of(0.25f, 0f), List.of(0f, 0.5f)), 0, 0);

        GateShares shares = new GateShares(two, List.of("click", "buy"), 4);
        DemoReport report = new DemoReport(two, LATE, null, shares);

        assertThat(report.toString().lines().map(line -> line.strip().replaceAll(" +", " ")))
                .contains("click 1 66.7 % 0.500", "click 3 33.3 % 0.250", "click 0 - -")
                .contains("buy 1 - -", "buy 3 100.0 % 0.750");
    }

    @Test
    void oneGateHasNoTableOfItsOwn() {
        results.scored(answer(0, 0.5f), 0, 0);

        assertThat(new DemoReport(results, LATE, null, gates(results, 4)).toString())
                .doesNotContain("gate");
    }

    @Test
    void aTokenWithoutOutputIsCountedAndHasNoProbability() throws Exception {
        results.scored(answer(0, 0.9f), 0, 0);
        results.scored(answer(1, null, List.of(), List.of()), 0, 0);
        results.scored(answer(2, 0.8f), 0, 0);

        DemoReport report = new DemoReport(results, LATE, null, gates(results, 4));

        assertThat(report.scored()).containsExactly(0, 1, 2);
        assertThat(report.scores()).containsExactly(0.9f, 0.8f);
        assertThat(report.truth()).containsExactly(true, true);
        assertThat(report.defects()).isEmpty();
        assertThat(report.toString()).containsPattern("without output +1 +tokens");
        DemoReport expected =
                new DemoReport(
                        results, LATE, ExpectedFlights.read(Home.FLIGHTS), gates(results, 8));
        assertThat(expected.largestDifference()).isNotNaN();
        assertThat(expected.defects()).contains("1 tokens have no output");
    }

    private static GateShares gates(DemoResults results, int numExperts) {
        return new GateShares(results, List.of("0"), numExperts);
    }

    /** An answer of two choices, experts 1 and 3, with the weights of two gates each. */
    private static ScoredToken answer(
            long position, List<Float> values, List<Float> first, List<Float> second) {
        List<Choice> choices =
                List.of(
                        new Choice(1, 0f, Outcome.EXECUTED, first),
                        new Choice(3, 0f, Outcome.EXECUTED, second));
        return new ScoredToken(
                "LAS",
                position,
                Instant.EPOCH,
                values,
                null,
                "v1",
                List.of(new LayerDecision(choices)));
    }

    @Test
    void aucOfOneKindOfFlightsOnlyIsNotShown() {
        DemoResults one = new DemoResults(1);
        one.scored(answer(0, 0.5f), 0, 0);

        DemoReport report = new DemoReport(one, LATE, null, gates(one, 4));

        assertThat(report.auc()).isNaN();
        assertThat(report.toString())
                .containsPattern("AUC +- +against")
                .doesNotContain("NaN")
                .contains("choices executed");
    }
}
