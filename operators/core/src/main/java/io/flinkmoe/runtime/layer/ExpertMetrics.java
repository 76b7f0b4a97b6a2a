// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.function.IntSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;

/**
 * The metrics of one expert, in the group {@code moe.expert.<e>}, with the variable {@code expert}.
 * A token that chooses two experts counts for both. Every received token is finally counted as
 * executed or failed.
 */
@Internal
public final class ExpertMetrics {

    /** The metric names. */
    public enum Name {
        /** Counter: tokens received. */
        NUM_TOKENS_IN("numTokensIn"),
        /** Counter: tokens executed. */
        NUM_TOKENS_EXECUTED("numTokensExecuted"),
        /** Counter: tokens for which the model threw or returned a value that is not finite. */
        NUM_TOKENS_FAILED("numTokensFailed"),
        /** Counter: failed tokens for which the model returned a value that is not finite. */
        NUM_NON_FINITE_OUTPUTS("numNonFiniteOutputs"),
        /** Gauge: tokens that wait for a call to fill. */
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
    public final Counter failed;
    public final Counter nonFiniteOutputs;
    public final Histogram batchSize;
    public final Histogram inferenceTime;
    public final Histogram queueTime;

    private final MetricGroup group;

    public ExpertMetrics(MetricGroup operator, int expert) {
        group =
                operator.addGroup(MoeMetrics.GROUP)
                        .addGroup(MoeMetrics.EXPERT, String.valueOf(expert));
        tokensIn = group.counter(Name.NUM_TOKENS_IN.text);
        executed = group.counter(Name.NUM_TOKENS_EXECUTED.text);
        failed = group.counter(Name.NUM_TOKENS_FAILED.text);
        nonFiniteOutputs = group.counter(Name.NUM_NON_FINITE_OUTPUTS.text);
        batchSize = MoeMetrics.histogram(group, Name.BATCH_SIZE);
        inferenceTime = MoeMetrics.histogram(group, Name.INFERENCE_TIME_US);
        queueTime = MoeMetrics.histogram(group, Name.QUEUE_TIME_US);
    }

    /** Registers the gauge of the tokens that wait for a call. */
    public void waiting(IntSupplier tokens) {
        Gauge<Integer> gauge = tokens::getAsInt;
        group.gauge(Name.TOKENS_WAITING.text, gauge);
    }
}
