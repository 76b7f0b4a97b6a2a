// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.head;

import io.flinkmoe.runtime.shared.MoeMetrics;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;

/** What a {@link Head} reports, in the group {@code moe.head}. */
@Internal
public final class HeadMetrics {

    /** The names. */
    public enum Name {
        /** Counter: tokens for which the head's output is not finite. */
        NUM_TOKENS_DEAD_LETTERED("numTokensDeadLettered");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    final Counter deadLetters;

    HeadMetrics(MetricGroup operator) {
        MetricGroup group = MoeMetrics.group(operator, "head");
        deadLetters = group.counter(Name.NUM_TOKENS_DEAD_LETTERED.text);
    }
}
