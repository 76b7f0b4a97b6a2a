package io.flinkmoe.capacity;

import java.util.Locale;

/** What the outputs of a token's executed choices are multiplied by. */
public enum WeightRule {
    /** The weights of the router, as they are. */
    ROUTER,
    /** Those, divided by their sum over the executed choices: {@link Survivors}. */
    SURVIVORS,
    /**
     * The softmax of an expert's logits over the window's tokens that asked it, divided by the
     * number of experts that took the token; scores are the same, undivided. Expert choice as Mesh
     * TensorFlow has it ({@code _expert_selection_gating}), where every token asks every expert.
     */
    WINDOW;

    /** As options write it: survivors. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
