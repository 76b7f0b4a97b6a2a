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
 * The accounts of a job with capacity: what all its operators counted, held against what became of
 * its tokens.
 *
 * @param scored what the job answered
 * @param diverted the late tokens that it sent away instead
 * @param summaries what its operators counted
 */
public record Accounts(
        List<ScoredToken> scored, List<Token> diverted, List<WindowSummary> summaries) {

    /** Runs a job to its end. */
    public static Accounts of(StreamExecutionEnvironment env, MoeResult result) throws Exception {
        return of(env, result, CloseableIterator.empty());
    }

    /** Runs a job that diverts late tokens to its end. */
    public static Accounts ofDiverting(StreamExecutionEnvironment env, MoeResult result)
            throws Exception {
        return of(env, result, result.lateTokens().collectAsync());
    }

    private static Accounts of(
            StreamExecutionEnvironment env, MoeResult result, CloseableIterator<Token> late)
            throws Exception {
        Accounts accounts = new Accounts(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        try (late;
                CloseableIterator<ScoredToken> tokens = result.scored().collectAsync();
                CloseableIterator<WindowSummary> windows =
                        result.windowSummaries().collectAsync()) {
            env.executeAsync();
            tokens.forEachRemaining(accounts.scored::add);
            late.forEachRemaining(accounts.diverted::add);
            windows.forEachRemaining(accounts.summaries::add);
        }
        return accounts;
    }

    /** Checks the laws of the accounts in every layer and window; gives the tokens. */
    public List<ScoredToken> checked(TumblingWindows windows) {
        int layers = scored.isEmpty() ? 0 : scored.get(0).layers().length;
        for (int layer = 0; layer < layers; layer++) {
            check(layer, windows);
        }
        return scored;
    }

    /** The choices that took room with each expert in each window, over all rounds of a layer. */
    public Map<String, Long> usedByExpert(int layer) {
        Map<String, Long> used = new HashMap<>();
        for (WindowSummary summary : summaries) {
            if (summary.layer() == layer && summary.source() == WindowSummary.Source.EXPERT) {
                used.merge(
                        summary.windowStart() + "/" + summary.key(),
                        summary.counts().admitted(),
                        Long::sum);
            }
        }
        return used;
    }

    private void check(int layer, TumblingWindows windows) {
        Map<Long, WindowCounts> outcomes = new HashMap<>();
        for (ScoredToken token : scored) {
            for (Outcome outcome : token.layers()[layer].outcomes()) {
                outcomes.merge(
                        windows.startOf(token.timestamp()),
                        WindowCounts.EMPTY.plus(outcome, 1),
                        WindowCounts::plus);
            }
        }
        Map<Long, WindowCounts> routers = new HashMap<>();
        Map<Long, WindowCounts> combines = new HashMap<>();
        Map<Long, WindowCounts> firstRounds = new HashMap<>();
        Map<Long, WindowCounts> laterRounds = new HashMap<>();
        for (WindowSummary summary : summaries) {
            if (summary.layer() != layer) {
                continue;
            }
            Map<Long, WindowCounts> accounts =
                    switch (summary.source()) {
                        case ROUTER -> routers;
                        case COMBINE -> combines;
                        case EXPERT -> summary.round() == 0 ? firstRounds : laterRounds;
                    };
            accounts.merge(summary.windowStart(), summary.counts(), WindowCounts::plus);
            if (summary.source() == WindowSummary.Source.EXPERT) {
                assertThat(summary.counts().isBalanced()).as("%s", summary).isTrue();
            }
        }
        assertThat(combines).isEqualTo(outcomes);
        if (layer == 0) {
            addDiverted(outcomes, windows);
        }
        assertThat(routers).hasSameSizeAs(outcomes);
        outcomes.forEach(
                (window, account) -> {
                    WindowCounts router = routers.get(window);
                    assertThat(router.asked()).isEqualTo(account.asked());
                    // What the router settled itself, no expert was asked.
                    WindowCounts first = firstRounds.getOrDefault(window, WindowCounts.EMPTY);
                    assertThat(first.asked())
                            .isEqualTo(
                                    account.asked()
                                            - router.overflowed()
                                            - router.late()
                                            - router.failed());
                    assertThat(first.executed()).isEqualTo(account.executed());
                    WindowCounts later = laterRounds.getOrDefault(window, WindowCounts.EMPTY);
                    assertThat(later.executed()).isEqualTo(account.rerouted());
                    assertThat(first.failed() + later.failed() + router.failed())
                            .isEqualTo(account.failed());
                });
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
