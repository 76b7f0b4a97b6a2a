// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import org.apache.flink.annotation.Internal;

/**
 * Stick-breaking attention, as in ModuleFormer (modeling_moduleformer.py, stickbreaking_att): from
 * the query's own key backwards, each key takes its sigmoid as a share of what the later keys left,
 * {@code a_ij = sigmoid(z_ij) * prod_{j<m<=i} (1 - sigmoid(z_im))}. The weights sum to at most 1.
 * It has no position encoding beside this order.
 */
@Internal
public record StickBreaking() implements AttentionForm {

    @Override
    public void mark(double[] vector, int position) {}

    @Override
    public void weigh(double[] scores) {
        double left = 1;
        for (int key = scores.length - 1; key >= 0; key--) {
            double score = scores[key];
            scores[key] = left / (1 + StrictMath.exp(-score));
            left /= 1 + StrictMath.exp(score);
        }
    }
}
