// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.MoeResult;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WindowCounts;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;

/**
 * The results of a job with capacity: its tokens with their outcomes, and the window summaries of
 * its operators, which must agree with them.
 *
 * @param scored the scored tokens
 * @param diverted the late tokens, if the job diverts them
 * @param summaries the window summaries of all operators
 */
public record JobOutcomes(
        List<ScoredToken> scored, List<Token> diverted, List<WindowSummary> summaries) {

    /** More rounds of admission than any test has. */
    private static final int ROUNDS = 9;

    /** Runs a job to its end. */
    public static JobOutcomes of(StreamExecutionEnvironment env, MoeResult result)
            throws Exception {
        return of(env, result, CloseableIterator.empty());
    }

    /** Runs a job that diverts late tokens to its end. */
    public static JobOutcomes ofDiverting(StreamExecutionEnvironment env, MoeResult result)
            throws Exception {
        return of(env, result, result.lateTokens().collectAsync());
    }

    private static JobOutcomes of(
            StreamExecutionEnvironment env, MoeResult result, CloseableIterator<Token> late)
            throws Exception {
        JobOutcomes outcomes =
                new JobOutcomes(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        try (late;
                CloseableIterator<ScoredToken> tokens = result.scored().collectAsync();
                CloseableIterator<WindowSummary> windows =
                        result.windowSummaries().collectAsync()) {
            env.executeAsync();
            tokens.forEachRemaining(outcomes.scored::add);
            late.forEachRemaining(outcomes.diverted::add);
            windows.forEachRemaining(outcomes.summaries::add);
        }
        return outcomes;
    }

    /** Checks the summaries of every layer and window against the tokens; returns the tokens. */
    public List<ScoredToken> checked(TumblingWindows windows) {
        int layers = scored.isEmpty() ? 0 : scored.get(0).layers().length;
        for (int layer = 0; layer < layers; layer++) {
            check(layer, windows);
        }
        return scored;
    }

    /** The choices that each expert admitted in each window, over all rounds of a layer. */
    public Map<String, Long> usedByExpert(int layer) {
        Map<String, Long> used = new HashMap<>();
        for (WindowSummary summary : summaries) {
            if (summary.layer() == layer && summary.source() == WindowSummary.Source.ADMISSION) {
                used.merge(key(summary), summary.counts().admitted(), Long::sum);
            }
        }
        return used;
    }

    private void check(int layer, TumblingWindows windows) {
        Map<Long, WindowCounts> outcomes = new HashMap<>();
        for (ScoredToken token : scored) {
            Outcome[] ofToken = token.layers()[layer].outcomes();
            boolean isLate = ofToken.length > 0 && ofToken[0] == Outcome.LATE;
            outcomes.merge(
                    windows.startOf(token.timestamp()),
                    WindowCounts.EMPTY.plusTokens(isLate ? 0 : 1),
                    WindowCounts::plus);
            for (Outcome outcome : ofToken) {
                outcomes.merge(
                        windows.startOf(token.timestamp()),
                        WindowCounts.EMPTY.plus(outcome, 1),
                        WindowCounts::plus);
            }
        }
        Map<Long, WindowCounts> combines = totals(layer, WindowSummary.Source.COMBINE, 0);
        Map<Long, WindowCounts> routers = totals(layer, WindowSummary.Source.ROUTER, 0);
        Map<Long, WindowCounts> experts = totals(layer, WindowSummary.Source.EXPERT, 0);
        assertThat(combines).isEqualTo(outcomes);
        if (layer == 0) {
            addDiverted(outcomes, windows);
        }
        assertThat(routers).hasSameSizeAs(outcomes);
        checkAdmissionAgainstExperts(layer);
        outcomes.forEach(
                (window, counts) -> {
                    WindowCounts router = routers.get(window);
                    WindowCounts expert = experts.getOrDefault(window, WindowCounts.EMPTY);
                    assertThat(router.asked()).isEqualTo(counts.asked());
                    assertThat(router.tokens()).isGreaterThanOrEqualTo(counts.tokens());
                    // Choices whose outcome the router determines ask for no expert.
                    WindowCounts admission = WindowCounts.EMPTY;
                    long asks =
                            counts.asked() - router.overflowed() - router.late() - router.failed();
                    for (int round = 0; round < ROUNDS; round++) {
                        WindowCounts ofRound =
                                totals(layer, WindowSummary.Source.ADMISSION, round)
                                        .getOrDefault(window, WindowCounts.EMPTY);
                        assertThat(ofRound.asked()).as("round %d", round).isEqualTo(asks);
                        asks = ofRound.passedOn();
                        admission = admission.plus(ofRound);
                    }
                    assertThat(asks).as("passed on by the last round").isZero();
                    assertThat(counts.executed()).isEqualTo(expert.executed());
                    assertThat(counts.rerouted()).isEqualTo(expert.rerouted());
                    assertThat(counts.failed()).isEqualTo(expert.failed() + router.failed());
                    assertThat(counts.overflowed())
                            .isEqualTo(admission.overflowed() + router.overflowed());
                    assertThat(counts.late()).isEqualTo(admission.late() + router.late());
                });
    }

    /** What the admission of an expert admits is what the expert executes or fails. */
    private void checkAdmissionAgainstExperts(int layer) {
        Map<String, Long> given = new HashMap<>();
        for (WindowSummary summary : summaries) {
            boolean ofLayer = summary.layer() == layer;
            if (ofLayer && summary.source() == WindowSummary.Source.EXPERT) {
                given.merge(key(summary), summary.counts().asked(), Long::sum);
            }
            boolean adds =
                    summary.source() == WindowSummary.Source.ADMISSION
                            || summary.source() == WindowSummary.Source.EXPERT;
            if (ofLayer && adds) {
                assertThat(summary.counts().isBalanced()).as("%s", summary).isTrue();
            }
        }
        Map<String, Long> admitted = usedByExpert(layer);
        admitted.values().removeIf(choices -> choices == 0);
        assertThat(given).isEqualTo(admitted);
    }

    private Map<Long, WindowCounts> totals(int layer, WindowSummary.Source source, int round) {
        Map<Long, WindowCounts> totals = new HashMap<>();
        for (WindowSummary summary : summaries) {
            if (summary.layer() == layer
                    && summary.source() == source
                    && summary.round() == round) {
                totals.merge(summary.windowStart(), summary.counts(), WindowCounts::plus);
            }
        }
        return totals;
    }

    private static String key(WindowSummary summary) {
        return summary.windowStart() + "/" + summary.expert();
    }

    /** The choices that diverted tokens would have made: the first router counts them, as late. */
    private void addDiverted(Map<Long, WindowCounts> outcomes, TumblingWindows windows) {
        int k = scored.get(0).layers()[0].outcomes().length;
        for (Token token : diverted) {
            outcomes.merge(
                    windows.startOf(token.timestamp()),
                    WindowCounts.EMPTY.plus(Outcome.LATE, k),
                    WindowCounts::plus);
        }
    }
}
