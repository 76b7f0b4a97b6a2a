package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.onnx.LayerRouter.Routed;
import io.flinkmoe.routing.NoiseSource;
import org.apache.flink.annotation.Internal;

/** What the experts admit rows by when a window closes. */
@Internal
final class AdmissionScores {

    private AdmissionScores() {}

    /**
     * Of the choices of T routed tokens: their draws where admission is random, the logits where
     * the window weighs them, else the scores.
     *
     * @param capacity what the experts have room for, or null
     * @param draws needed for random admission only
     * @param kept the scores, if they are computed already; else none
     * @return [T, K], or null where nothing is decided at the close of a window
     */
    static float[] of(
            Capacity capacity, Routed routed, int tokens, NoiseSource draws, float[] kept) {
        if (capacity == null || !capacity.decidesAtClose()) {
            return null;
        }
        boolean weighedByWindow = capacity.weighing() == WeightRule.WINDOW;
        if (!weighedByWindow && capacity.order() != AdmissionOrder.RANDOM) {
            return kept.length > 0 ? kept : routed.scores(tokens);
        }
        float[] scores = new float[tokens * routed.ranks()];
        for (int choice = 0; choice < scores.length; choice++) {
            int token = choice / routed.ranks();
            int expert = routed.experts()[choice];
            scores[choice] =
                    weighedByWindow ? routed.logit(token, expert) : draws.priority(token, expert);
        }
        return scores;
    }
}
