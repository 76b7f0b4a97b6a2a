// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.onnx.Routed;
import io.flinkmoe.routing.NoiseSource;
import org.apache.flink.annotation.Internal;

/** The scores by which experts order rows when a window closes. */
@Internal
final class AdmissionScores {

    /** No scores: nothing is decided at the close of a window. */
    static final float[] NONE = {};

    private AdmissionScores() {}

    /**
     * Returns the scores of the choices of T routed tokens, of the kind that the capacity compares.
     *
     * @param draws used only for random admission
     * @param kept [T, K], the gate scores if they are already computed; else empty
     * @return [T, K], or {@link #NONE} if nothing is decided at the close of a window
     */
    static float[] of(
            Capacity capacity, Routed routed, int tokens, NoiseSource draws, float[] kept) {
        return switch (capacity.score()) {
            case NONE -> NONE;
            case GATE_SCORE -> kept.length > 0 ? kept : routed.scores(tokens);
            case ROUTER_LOGIT -> {
                float[] logits = new float[tokens * routed.ranks()];
                for (int i = 0; i < logits.length; i++) {
                    logits[i] = routed.logit(i / routed.ranks(), routed.experts()[i]);
                }
                yield logits;
            }
            case RANDOM_DRAW -> {
                float[] uniforms = new float[tokens * routed.ranks()];
                for (int i = 0; i < uniforms.length; i++) {
                    uniforms[i] = draws.priority(i / routed.ranks(), routed.experts()[i]);
                }
                yield uniforms;
            }
        };
    }
}
