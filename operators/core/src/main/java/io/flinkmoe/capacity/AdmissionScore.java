// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Experimental;

/** The score of a choice that an {@link AdmissionOrder} compares. */
@Experimental
public enum AdmissionScore {
    /** None: no choice waits for the close of a window. */
    NONE,
    /** The gate score of the choice's expert, neither normalized nor scaled. */
    GATE_SCORE,
    /** The router logit of the choice's expert: the input of the {@link WindowSoftmax}. */
    ROUTER_LOGIT,
    /** A uniform draw per token and expert. */
    RANDOM_DRAW;

    static AdmissionScore of(AdmissionOrder order, WeightRule weightRule) {
        if (weightRule.usesWindowShares()) {
            return ROUTER_LOGIT;
        }
        return order == AdmissionOrder.RANDOM ? RANDOM_DRAW : GATE_SCORE;
    }
}
