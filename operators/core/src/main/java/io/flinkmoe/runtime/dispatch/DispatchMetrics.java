// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import io.flinkmoe.runtime.shared.MoeMetrics;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.SimpleCounter;

/** The metrics of a dispatch, in the group {@code moe.dispatch}. */
@Internal
public final class DispatchMetrics {

    /** The metric names. */
    public enum Name {
        /** Counter: tokens sent to the experts and the combine. */
        NUM_TOKENS_OUT("numTokensOut"),
        /** Gauge: tokens that wait for decisions or for earlier tokens of their stream. */
        TOKENS_WAITING("tokensWaiting");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    final Counter waiting = new SimpleCounter();
    private final Counter tokensOut;

    DispatchMetrics(MetricGroup operator) {
        MetricGroup group = MoeMetrics.group(operator, "dispatch");
        tokensOut = group.counter(Name.NUM_TOKENS_OUT.text);
        Gauge<Long> gauge = waiting::getCount;
        group.gauge(Name.TOKENS_WAITING.text, gauge);
    }

    /** Counts tokens that leave. */
    void left(int tokens) {
        tokensOut.inc(tokens);
        waiting.dec(tokens);
    }
}
