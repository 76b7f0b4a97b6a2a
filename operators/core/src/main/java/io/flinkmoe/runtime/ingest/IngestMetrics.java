// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.EnumMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;

/** The metrics of {@link Ingest}, in the group {@code moe.ingest}. */
@Internal
public final class IngestMetrics {

    /** The group of one kind of rejection. Its value is the kind. */
    public static final String KIND = "kind";

    /** The metric names. */
    public enum Name {
        /** Counter: valid tokens. */
        NUM_TOKENS_IN("numTokensIn"),
        /**
         * Counter: rejected records. The same name in the group {@code moe.ingest.kind.<kind>}
         * counts those of one kind; the kind is the variable {@code kind}.
         */
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
    final Histogram batchSize;
    private final Counter deadLetters;
    private final Map<Rejection.Kind, Counter> deadLettersByKind =
            new EnumMap<>(Rejection.Kind.class);

    IngestMetrics(MetricGroup operator) {
        MetricGroup group = MoeMetrics.group(operator, "ingest");
        tokensIn = group.counter(Name.NUM_TOKENS_IN.text);
        deadLetters = group.counter(Name.NUM_TOKENS_DEAD_LETTERED.text);
        for (Rejection.Kind kind : Rejection.Kind.values()) {
            MetricGroup ofKind = group.addGroup(KIND, kind.toString());
            deadLettersByKind.put(kind, ofKind.counter(Name.NUM_TOKENS_DEAD_LETTERED.text));
        }
        batchSize = MoeMetrics.histogram(group, Name.BATCH_SIZE);
    }

    void countDeadLetter(DeadLetter letter) {
        deadLetters.inc();
        deadLettersByKind.get(letter.rejection().kind()).inc();
    }
}
