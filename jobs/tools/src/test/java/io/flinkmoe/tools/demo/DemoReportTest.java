// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.flights.ExpectedAnswers;
import io.flinkmoe.tools.flights.ExpectedDelays;
import io.flinkmoe.tools.flights.ExpectedFlights;
import io.flinkmoe.tools.flights.FlightLabels;
import io.flinkmoe.tools.flights.FlightTask;
import io.flinkmoe.tools.flights.Flights;
import java.time.Instant;
import java.util.List;
import java.util.Map;
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

        DemoReport report = report(results, null, gates(results, 4));

        assertThat(results.isComplete()).isTrue();
        assertThat(report.defects()).isEmpty();
        assertThat(report.quality().tasks().get(0).auc()).isEqualTo(1);
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
        assertThat(report(results, null, gates(results, 4)).defects())
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

        DemoReport report = report(results, expected, gates(results, 8));

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
        DemoReport report = report(two, null, shares);

        assertThat(report.toString().lines().map(line -> line.strip().replaceAll(" +", " ")))
                .contains("click 1 66.7 % 0.500", "click 3 33.3 % 0.250", "click 0 - -")
                .contains("buy 1 - -", "buy 3 100.0 % 0.750");
    }

    @Test
    void severalTasksAreReadByNameAndHaveATable() {
        DemoResults two = new DemoResults(2, List.of("late", "early"));
        two.scored(answer(0, Map.of("early", 0.25f, "late", 0.75f)), 0, 0);
        two.scored(answer(1, Map.of("early", 0.5f, "late", 0.5f)), 0, 0);
        FlightTask early = FlightTask.early("early", 5);
        List<FlightLabels> labels =
                List.of(
                        new FlightLabels(Flights.LATE, new boolean[] {true, false}),
                        new FlightLabels(early, new boolean[] {true, false}));
        List<Figure> measured = List.of(new Figure("expert runs", "7", "3.50 per flight"));

        DemoReport report = new DemoReport(two, labels, null, gates(two, 4), measured);

        assertThat(two.probability(1, 0)).isEqualTo(0.25f);
        assertThat(report.toString().lines().map(line -> line.strip().replaceAll(" +", " ")))
                .contains(
                        "AUC late 1.00000 against the true delays",
                        "AUC early 0.00000 against the true delays",
                        "expert runs 7 3.50 per flight",
                        "task flights that are observed mean predicted AUC log loss",
                        "late late by 15 minutes or more 50.00 % 62.50 % 1.00000 0.4904",
                        "early early by 5 minutes or more 50.00 % 37.50 % 0.00000 1.0397");
    }

    private static ScoredToken answer(long position, Map<String, Object> outputs) {
        return ScoredToken.newBuilder(answer(position, null, List.of(), List.of()))
                .setOutputs(outputs)
                .build();
    }

    @Test
    void aDifferenceInAnyTaskIsADefectOfTheFlightsThatAreCompared() throws Exception {
        ExpectedAnswers expected = ExpectedDelays.read(Home.DELAY, true);
        DemoResults all = new DemoResults(2001, List.of("late15", "late60", "early"));
        for (int i = 0; i < 2001; i++) {
            float[] right = expected.probabilities(Math.min(i, 1999));
            float off = i == 1999 ? 2e-5f : i == 2000 ? 0.1f : 0;
            all.scored(
                    answer(
                            i,
                            Map.of(
                                    "late15",
                                    right[0],
                                    "late60",
                                    right[1] + off,
                                    "early",
                                    right[2])),
                    0,
                    0);
        }

        AnswerCheck check = new AnswerCheck(all, expected);

        assertThat(check.largestDifference()).isBetween(1.9e-5, 2.1e-5);
        assertThat(check.defects()).anyMatch(defect -> defect.startsWith("a probability differs"));
        assertThat(check.figures().get(1).cells())
                .containsExactly(
                        "unexpected experts", "2,000", "tokens of the first 2,000 flights");
    }

    @Test
    void oneGateHasNoTableOfItsOwn() {
        results.scored(answer(0, 0.5f), 0, 0);

        assertThat(report(results, null, gates(results, 4)).toString()).doesNotContain("gate");
    }

    @Test
    void aTokenWithoutOutputIsCountedAndHasNoProbability() throws Exception {
        results.scored(answer(0, 0.9f), 0, 0);
        results.scored(answer(1, null, List.of(), List.of()), 0, 0);
        results.scored(answer(2, 0.8f), 0, 0);

        DemoReport report = report(results, null, gates(results, 4));

        assertThat(report.scored()).containsExactly(0, 1, 2);
        assertThat(report.quality().tasks().get(0).scores()).containsExactly(0.9f, 0.8f);
        assertThat(report.quality().tasks().get(0).truth()).containsExactly(true, true);
        assertThat(report.defects()).isEmpty();
        assertThat(report.toString()).containsPattern("without output +1 +tokens");
        DemoReport expected =
                report(results, ExpectedFlights.read(Home.FLIGHTS), gates(results, 8));
        assertThat(expected.largestDifference()).isNotNaN();
        assertThat(expected.defects()).contains("1 tokens have no output");
    }

    private static DemoReport report(
            DemoResults results, ExpectedFlights expected, GateShares gates) {
        List<FlightLabels> labels = List.of(new FlightLabels(Flights.LATE, LATE));
        return new DemoReport(results, labels, expected, gates, List.of());
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

        DemoReport report = report(one, null, gates(one, 4));

        assertThat(report.quality().tasks().get(0).auc()).isNaN();
        assertThat(report.toString())
                .containsPattern("AUC +- +against")
                .doesNotContain("NaN")
                .contains("choices executed");
    }
}
