package io.flinkmoe.capacity;

/**
 * What the weights of a token's k choices become when capacity dropped some of them, with gate
 * scores p (raw, as the router scores them). A dropped choice always weighs 0. Computed in double,
 * rounded to float32 once.
 */
public enum Survivors {
    /** p: Switch, No-Token-Left-Behind, V-MoE, Flaxformer, OpenMoE, DeepSpeed top-1. */
    RAW,
    /**
     * p / Σ p over all k choices, so that a survivor keeps its share: normalised before dropping.
     * Mesh TensorFlow's top-2 (ST-MoE), legacy GShard. Their 1e-9 in the denominator is lost in
     * float32: the first of k choices has a score of 1/N or more.
     */
    SHARE_OF_ALL,
    /**
     * p / max(Σ p over the survivors, 2⁻²³), so that they share all the weight: normalised after
     * dropping. DeepSpeed top-2 and top-k, NLLB, GShard that is not legacy. The limit is torch's
     * float32 eps, 1.19e-7: survivors less probable than that stay below 1 together.
     */
    SHARE_OF_SURVIVORS;

    private static final double EPSILON = 0x1p-23;

    /**
     * The weights of a window.
     *
     * @param scores [T, k], gate scores by rank
     * @param executed [T, k], which choices were executed
     * @param topK k
     * @return [T, k]
     */
    public float[] weights(float[] scores, boolean[] executed, int topK) {
        float[] weights = new float[scores.length];
        for (int first = 0; first < scores.length; first += topK) {
            double denominator = denominator(scores, executed, first, topK);
            for (int choice = first; choice < first + topK; choice++) {
                weights[choice] = executed[choice] ? (float) (scores[choice] / denominator) : 0;
            }
        }
        return weights;
    }

    private double denominator(float[] scores, boolean[] executed, int first, int topK) {
        if (this == RAW) {
            return 1;
        }
        double sum = 0;
        for (int choice = first; choice < first + topK; choice++) {
            if (this == SHARE_OF_ALL || executed[choice]) {
                sum += scores[choice];
            }
        }
        return Math.max(sum, EPSILON);
    }
}
