// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.MoeMetrics;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.SimpleCounter;

/**
 * The metrics of a combine, in the group {@code moe.combine}. The outcomes are the final ones of
 * each token's k choices, over all experts and rounds.
 */
@Internal
public final class CombineMetrics {

    /** The metric names. */
    public enum Name {
        /** Counter: tokens emitted. */
        NUM_TOKENS_OUT("numTokensOut"),
        /** Counter: choices executed by the first expert that they tried. */
        NUM_CHOICES_EXECUTED("numChoicesExecuted"),
        /** Counter: choices executed by a less probable expert, to which they were rerouted. */
        NUM_CHOICES_REROUTED("numChoicesRerouted"),
        /** Counter: choices that overflowed: no expert admitted them. */
        NUM_CHOICES_OVERFLOWED("numChoicesOverflowed"),
        /** Counter: choices of late tokens. */
        NUM_CHOICES_LATE("numChoicesLate"),
        /**
         * Counter: choices that failed: the expert threw or returned a value that is not finite,
         * the token could not be routed, or its weighted sum is not finite.
         */
        NUM_CHOICES_FAILED("numChoicesFailed"),
        /** Counter: tokens whose weighted sum is not finite; their executed choices fail. */
        NUM_NON_FINITE_SUMS("numNonFiniteSums"),
        /** Gauge: tokens that wait for results of experts or for earlier tokens of their stream. */
        TOKENS_WAITING("tokensWaiting"),
        /**
         * Histogram: time from the timestamp of a block's oldest token until the block is emitted,
         * in milliseconds. In the last layer, this is the end-to-end latency. It is meaningful only
         * if timestamps are wall-clock times.
         */
        END_TO_END_LATENCY_MS("endToEndLatencyMs");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    public final Counter tokensOut;
    public final Counter nonFiniteSums;
    public final Counter waiting = new SimpleCounter();
    public final Histogram latency;
    private final Counter[] outcomes = new Counter[Outcome.values().length];
    private final int[] counts = new int[outcomes.length];

    public CombineMetrics(MetricGroup operator) {
        MetricGroup group = MoeMetrics.group(operator, "combine");
        tokensOut = group.counter(Name.NUM_TOKENS_OUT.text);
        for (Outcome outcome : Outcome.values()) {
            outcomes[outcome.ordinal()] = group.counter(name(outcome).text);
        }
        nonFiniteSums = group.counter(Name.NUM_NON_FINITE_SUMS.text);
        Gauge<Long> gauge = waiting::getCount;
        group.gauge(Name.TOKENS_WAITING.text, gauge);
        latency = MoeMetrics.histogram(group, Name.END_TO_END_LATENCY_MS);
    }

    private static Name name(Outcome outcome) {
        return switch (outcome) {
            case EXECUTED -> Name.NUM_CHOICES_EXECUTED;
            case REROUTED -> Name.NUM_CHOICES_REROUTED;
            case OVERFLOWED -> Name.NUM_CHOICES_OVERFLOWED;
            case LATE -> Name.NUM_CHOICES_LATE;
            case FAILED -> Name.NUM_CHOICES_FAILED;
        };
    }

    /** Counts tokens that are emitted at {@code now}, and the outcomes of their choices. */
    public void emitted(TokenBlock tokens, byte[] outcomesOfChoices, long now) {
        tokensOut.inc(tokens.rows());
        waiting.dec(tokens.rows());
        for (byte outcome : outcomesOfChoices) {
            if (outcome != Outcome.NO_CHOICE) {
                counts[outcome]++;
            }
        }
        for (int outcome = 0; outcome < counts.length; outcome++) {
            outcomes[outcome].inc(counts[outcome]);
            counts[outcome] = 0;
        }
        long oldest = Long.MAX_VALUE;
        for (long timestamp : tokens.timestamps()) {
            oldest = Math.min(oldest, timestamp);
        }
        latency.update(now - oldest);
    }
}
