// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * The metrics of the admission of one expert, in the group {@code moe.expert.<e>}, with the
 * variable {@code expert}. A token that chooses two experts counts for both. Every choice that asks
 * is finally counted as admitted, overflowed, passed on or late.
 */
@Internal
public final class AdmissionMetrics {

    /** The metric names. */
    public enum Name {
        /** Counter: tokens that asked for the expert. */
        NUM_TOKENS_ASKED("numTokensAsked"),
        /** Counter: tokens admitted. */
        NUM_TOKENS_ADMITTED("numTokensAdmitted"),
        /** Counter: tokens that overflowed and have no next expert. */
        NUM_TOKENS_OVERFLOWED("numTokensOverflowed"),
        /** Counter: tokens that exceeded the capacity and were rerouted to their next expert. */
        NUM_TOKENS_PASSED_ON("numTokensPassedOn"),
        /** Counter: late tokens, whose window is closed. */
        NUM_TOKENS_LATE("numTokensLate"),
        /**
         * Gauge: tokens that wait for the close of their window, without those from restored state.
         */
        TOKENS_HELD("tokensHeld");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    final Counter asked;
    final Counter admitted;
    final Counter overflowed;
    final Counter passedOn;
    final Counter late;

    /** The tokens that wait, by the start of their window. */
    private final Map<Long, Integer> heldByWindow = new HashMap<>();

    private volatile int held; // The sum of them.

    AdmissionMetrics(MetricGroup operator, int expert) {
        MetricGroup group =
                operator.addGroup(MoeMetrics.GROUP)
                        .addGroup(MoeMetrics.EXPERT, String.valueOf(expert));
        asked = group.counter(Name.NUM_TOKENS_ASKED.text);
        admitted = group.counter(Name.NUM_TOKENS_ADMITTED.text);
        overflowed = group.counter(Name.NUM_TOKENS_OVERFLOWED.text);
        passedOn = group.counter(Name.NUM_TOKENS_PASSED_ON.text);
        late = group.counter(Name.NUM_TOKENS_LATE.text);
        Gauge<Integer> gauge = () -> held;
        group.gauge(Name.TOKENS_HELD.text, gauge);
    }

    /** Counts tokens that wait for the close of their window. */
    void hold(long windowStart, int tokens) {
        heldByWindow.merge(windowStart, tokens, Integer::sum);
        held += tokens;
    }

    /** Removes the tokens that waited for the close of a window. */
    void release(long windowStart) {
        Integer tokens = heldByWindow.remove(windowStart);
        if (tokens != null) {
            held -= tokens;
        }
    }
}
