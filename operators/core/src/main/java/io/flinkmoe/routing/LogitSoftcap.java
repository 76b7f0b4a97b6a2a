// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.Internal;

/** Caps logits smoothly: z ← c · tanh(z / c) (Laguna). Masked experts stay masked. */
@Internal
public final class LogitSoftcap {

    private LogitSoftcap() {}

    /**
     * Caps the first logits of an array, in place; computed in double and rounded once.
     *
     * @param cap c, or null to leave them as they are
     */
    public static void apply(Float cap, float[] logits, int count) {
        if (cap == null) {
            return;
        }
        double c = cap;
        for (int i = 0; i < count; i++) {
            if (logits[i] != Float.NEGATIVE_INFINITY && logits[i] != Float.POSITIVE_INFINITY) {
                logits[i] = (float) (c * StrictMath.tanh(logits[i] / c));
            }
        }
    }
}
