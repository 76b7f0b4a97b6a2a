// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import org.apache.flink.annotation.Internal;

/** What differs between causal attentions: how positions enter, and how scores become weights. */
@Internal
public interface AttentionForm {

    /**
     * Marks a query or key of one head, [head_dim], with its position, counted from 0; in place.
     */
    void mark(double[] vector, int position);

    /**
     * Turns the scores of one query into attention weights, in place.
     *
     * @param scores {@code q.k/sqrt(head_dim)} for the keys 0 to the query's own, the last
     */
    void weigh(double[] scores);
}
