package io.flinkmoe.routing;

/**
 * Chooses the k most probable of N experts for each token, and their weights.
 *
 * <p>Dimensions: T tokens, N experts, k choices. Per token, with router logits z:
 *
 * <pre>
 *   topKIndices = the k largest z, in descending order; equal logits: the lowest expert first
 *   scores      = exp(z - max z) / sum over all N of exp(z - max z)
 *   topKWeights = scores[topKIndices], divided by their sum if norm_topk_prob
 * </pre>
 *
 * Experts are selected by logit, not by score: the order is the same, but scores that underflow to
 * 0 would tie. Scores are computed in double with {@link StrictMath} and rounded to float32 once,
 * so that every machine gives the same bits. Mixtral: transformers {@code MixtralSparseMoeBlock};
 * Shazeer et al. 2017 for the top-k gate.
 */
public final class TopKRouter {

    private final int numExperts;
    private final int topK;
    private final boolean normTopKProb;
    private final double[] exponentials;

    public TopKRouter(RoutingConfig config) {
        this.numExperts = config.numExperts();
        this.topK = config.numExpertsPerTok();
        this.normTopKProb = config.normTopKProb();
        this.exponentials = new double[topK];
    }

    /**
     * Routes T tokens. Logits must be finite.
     *
     * @param routerLogits [T, N]
     * @param tokens T
     * @param topKIndices [T, k], written: the chosen experts in order of rank
     * @param topKWeights [T, k], written: their weights
     */
    public void route(float[] routerLogits, int tokens, int[] topKIndices, float[] topKWeights) {
        for (int token = 0; token < tokens; token++) {
            select(routerLogits, token * numExperts, topKIndices, token * topK);
            weigh(routerLogits, token * numExperts, topKIndices, topKWeights, token * topK);
        }
    }

    /** Insertion into the k best so far; only a strictly larger logit displaces one before it. */
    private void select(float[] logits, int from, int[] indices, int at) {
        for (int expert = 0; expert < numExperts; expert++) {
            float logit = logits[from + expert];
            int slot = Math.min(expert, topK);
            while (slot > 0 && logit > logits[from + indices[at + slot - 1]]) {
                if (slot < topK) {
                    indices[at + slot] = indices[at + slot - 1];
                }
                slot--;
            }
            if (slot < topK) {
                indices[at + slot] = expert;
            }
        }
    }

    private void weigh(float[] logits, int from, int[] indices, float[] weights, int at) {
        double max = logits[from + indices[at]];
        double chosen = 0;
        for (int rank = 0; rank < topK; rank++) {
            exponentials[rank] = StrictMath.exp(logits[from + indices[at + rank]] - max);
            chosen += exponentials[rank];
        }
        double sum = normTopKProb ? chosen : sumOfExponentials(logits, from, max);
        for (int rank = 0; rank < topK; rank++) {
            weights[at + rank] = (float) (exponentials[rank] / sum);
        }
    }

    private double sumOfExponentials(float[] logits, int from, double max) {
        double sum = 0;
        for (int expert = 0; expert < numExperts; expert++) {
            sum += StrictMath.exp(logits[from + expert] - max);
        }
        return sum;
    }
}
