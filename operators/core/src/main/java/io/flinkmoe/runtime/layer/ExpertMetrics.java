// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.function.IntSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.SimpleCounter;

/**
 * The metrics of one expert, in the group {@code moe.expert.<e>}, with the variable {@code expert}.
 * A token that chooses two experts counts for both. Every received token is finally counted as
 * executed, rerouted, overflowed, passed on, late or failed.
 */
@Internal
public final class ExpertMetrics {

    /** The metric names. */
    public enum Name {
        /** Counter: tokens received. */
        NUM_TOKENS_IN("numTokensIn"),
        /** Counter: tokens executed in the first round of admission. */
        NUM_TOKENS_EXECUTED("numTokensExecuted"),
        /** Counter: tokens executed after they were rerouted from another expert. */
        NUM_TOKENS_REROUTED("numTokensRerouted"),
        /** Counter: tokens that overflowed and have no next expert. */
        NUM_TOKENS_OVERFLOWED("numTokensOverflowed"),
        /** Counter: tokens that exceeded the capacity and were rerouted to their next expert. */
        NUM_TOKENS_PASSED_ON("numTokensPassedOn"),
        /** Counter: late tokens, whose window is closed. */
        NUM_TOKENS_LATE("numTokensLate"),
        /** Counter: tokens for which the model threw or returned a value that is not finite. */
        NUM_TOKENS_FAILED("numTokensFailed"),
        /** Counter: failed tokens for which the model returned a value that is not finite. */
        NUM_NON_FINITE_OUTPUTS("numNonFiniteOutputs"),
        /** Gauge: tokens that wait for a call to fill or for the close of their window. */
        TOKENS_WAITING("tokensWaiting"),
        /** Histogram: tokens per call. */
        BATCH_SIZE("batchSize"),
        /** Histogram: duration of a call, in microseconds. */
        INFERENCE_TIME_US("inferenceTimeUs"),
        /**
         * Histogram: time that the first token of a call waited for the call to fill, in
         * microseconds.
         */
        QUEUE_TIME_US("queueTimeUs");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    public final Counter tokensIn;
    public final Counter executed;
    public final Counter overflowed;
    public final Counter passedOn;
    public final Counter late;
    public final Counter failed;
    public final Counter nonFiniteOutputs;
    public final Histogram batchSize;
    public final Histogram inferenceTime;
    public final Histogram queueTime;

    /**
     * Tokens in state that wait for the close of their window, without those from restored state.
     */
    public final Counter held = new SimpleCounter();

    private final MetricGroup group;

    /**
     * @param round the round of admission; rows executed after round 0 count as rerouted
     */
    public ExpertMetrics(MetricGroup operator, int expert, int round) {
        group =
                operator.addGroup(MoeMetrics.GROUP)
                        .addGroup(MoeMetrics.EXPERT, String.valueOf(expert));
        tokensIn = group.counter(Name.NUM_TOKENS_IN.text);
        Counter first = group.counter(Name.NUM_TOKENS_EXECUTED.text);
        Counter rerouted = group.counter(Name.NUM_TOKENS_REROUTED.text);
        executed = round == 0 ? first : rerouted;
        overflowed = group.counter(Name.NUM_TOKENS_OVERFLOWED.text);
        passedOn = group.counter(Name.NUM_TOKENS_PASSED_ON.text);
        late = group.counter(Name.NUM_TOKENS_LATE.text);
        failed = group.counter(Name.NUM_TOKENS_FAILED.text);
        nonFiniteOutputs = group.counter(Name.NUM_NON_FINITE_OUTPUTS.text);
        batchSize = MoeMetrics.histogram(group, Name.BATCH_SIZE);
        inferenceTime = MoeMetrics.histogram(group, Name.INFERENCE_TIME_US);
        queueTime = MoeMetrics.histogram(group, Name.QUEUE_TIME_US);
    }

    /**
     * Registers the gauge of waiting tokens.
     *
     * @param forCall the number of tokens that wait for a call
     */
    public void waiting(IntSupplier forCall) {
        Gauge<Long> gauge = () -> held.getCount() + forCall.getAsInt();
        group.gauge(Name.TOKENS_WAITING.text, gauge);
    }

    /** Subtracts tokens that were removed from the state. */
    public void released(int tokens) {
        held.dec(Math.min(tokens, held.getCount()));
    }
}
