// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import io.flinkmoe.runtime.shared.MoeMetrics;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;

/** The metrics of {@link Ingest}, in the group {@code moe.ingest}. */
@Internal
public final class IngestMetrics {

    /** The metric names. */
    public enum Name {
        /** Counter: valid tokens. */
        NUM_TOKENS_IN("numTokensIn"),
        /** Counter: rejected records. */
        NUM_TOKENS_DEAD_LETTERED("numTokensDeadLettered"),
        /** Histogram: tokens per block. */
        BATCH_SIZE("batchSize");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    final Counter tokensIn;
    final Counter deadLetters;
    final Histogram batchSize;

    IngestMetrics(MetricGroup operator) {
        MetricGroup group = MoeMetrics.group(operator, "ingest");
        tokensIn = group.counter(Name.NUM_TOKENS_IN.text);
        deadLetters = group.counter(Name.NUM_TOKENS_DEAD_LETTERED.text);
        batchSize = MoeMetrics.histogram(group, Name.BATCH_SIZE);
    }
}
