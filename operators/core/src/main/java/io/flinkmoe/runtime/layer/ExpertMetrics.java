// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.SimpleCounter;

/**
 * The metrics of one expert, in the group {@code moe.expert.<e>}, with the variable {@code expert}.
 * A token that chooses two experts counts for both. Every received token is finally counted as
 * executed or failed, and so are tokens that wait in a restored state.
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

    /** Creates metrics for one thread. */
    public ExpertMetrics() {
        this(SimpleCounter::new, MoeMetrics::histogram);
    }

    /**
     * Creates metrics that are not registered yet.
     *
     * @param counters creates a counter
     * @param histograms creates a histogram
     */
    public ExpertMetrics(Supplier<Counter> counters, Supplier<Histogram> histograms) {
        tokensIn = counters.get();
        executed = counters.get();
        failed = counters.get();
        nonFiniteOutputs = counters.get();
        batchSize = histograms.get();
        inferenceTime = histograms.get();
        queueTime = histograms.get();
    }

    /** Registers the metrics in an operator's group. */
    public ExpertMetrics register(MetricGroup operator, int expert) {
        MetricGroup group = group(operator, expert);
        group.counter(Name.NUM_TOKENS_IN.text, tokensIn);
        group.counter(Name.NUM_TOKENS_EXECUTED.text, executed);
        group.counter(Name.NUM_TOKENS_FAILED.text, failed);
        group.counter(Name.NUM_NON_FINITE_OUTPUTS.text, nonFiniteOutputs);
        group.histogram(Name.BATCH_SIZE.text, batchSize);
        group.histogram(Name.INFERENCE_TIME_US.text, inferenceTime);
        group.histogram(Name.QUEUE_TIME_US.text, queueTime);
        return this;
    }

    /** Registers the gauge of the tokens that wait for a call. */
    public static void registerWaiting(MetricGroup operator, int expert, IntSupplier tokens) {
        Gauge<Integer> gauge = tokens::getAsInt;
        group(operator, expert).gauge(Name.TOKENS_WAITING.text, gauge);
    }

    private static MetricGroup group(MetricGroup operator, int expert) {
        return operator.addGroup(MoeMetrics.GROUP)
                .addGroup(MoeMetrics.EXPERT, String.valueOf(expert));
    }
}
