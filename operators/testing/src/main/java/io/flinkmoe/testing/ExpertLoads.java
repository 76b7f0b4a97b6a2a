// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The number of choices that each expert admitted in each window. {@link MoeAssertions} has
 * assertions about it.
 *
 * @param choices the counts; none is zero
 */
@PublicEvolving
public record ExpertLoads(Map<Key, Long> choices) {

    /**
     * An expert in a window.
     *
     * @param layer the MoE layer, from 0
     * @param windowStart first timestamp of the window, milliseconds since the epoch
     * @param expert the expert, from 0
     */
    @PublicEvolving
    public record Key(int layer, long windowStart, int expert) implements Comparable<Key> {
        @Override
        public int compareTo(Key other) {
            int byLayer = Integer.compare(layer, other.layer);
            if (byLayer != 0) {
                return byLayer;
            }
            int byWindow = Long.compare(windowStart, other.windowStart);
            return byWindow != 0 ? byWindow : Integer.compare(expert, other.expert);
        }

        @Override
        public String toString() {
            return "layer %d, window %d, expert %d".formatted(layer, windowStart, expert);
        }
    }

    public ExpertLoads {
        choices = new TreeMap<>(choices);
    }

    /** Sums the admitted choices of window summaries over all rounds of admission. */
    public static ExpertLoads ofSummaries(Collection<WindowSummary> summaries) {
        Map<Key, Long> choices = new TreeMap<>();
        for (WindowSummary summary : summaries) {
            if (summary.source() == WindowSummary.Source.ADMISSION
                    && summary.counts().admitted() > 0) {
                choices.merge(
                        new Key(summary.layer(), summary.windowStart(), summary.expert()),
                        summary.counts().admitted(),
                        Long::sum);
            }
        }
        return new ExpertLoads(choices);
    }

    /**
     * Counts the executed choices of scored tokens, rerouted ones included.
     *
     * @param windowSize the value of {@code moe.capacity.window.size}
     */
    public static ExpertLoads ofTokens(Collection<ScoredToken> scored, Duration windowSize) {
        TumblingWindows windows = new TumblingWindows(windowSize.toMillis());
        Map<Key, Long> choices = new TreeMap<>();
        for (ScoredToken token : scored) {
            long window = windows.startOf(token.timestamp());
            for (int layer = 0; layer < token.layers().length; layer++) {
                Decision decision = token.layers()[layer];
                for (int rank = 0; rank < decision.experts().length; rank++) {
                    Outcome outcome = decision.outcomes()[rank];
                    if (outcome == Outcome.EXECUTED || outcome == Outcome.REROUTED) {
                        choices.merge(
                                new Key(layer, window, decision.experts()[rank]), 1L, Long::sum);
                    }
                }
            }
        }
        return new ExpertLoads(choices);
    }

    /** Returns the number of choices that one expert admitted in one window. */
    public long of(int layer, long windowStart, int expert) {
        return choices.getOrDefault(new Key(layer, windowStart, expert), 0L);
    }
}
