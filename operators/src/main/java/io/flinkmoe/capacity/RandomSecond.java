package io.flinkmoe.capacity;

/**
 * The random second policy of top-2 gating (ST-MoE in Mesh TensorFlow, where it is the default in
 * evaluation too; GShard): a second choice asks for room only if
 *
 * <pre>
 *   u &lt; g2 / threshold        in float32, u uniform in [0, 1) per token
 * </pre>
 *
 * with g2 its share of the two, normalised before dropping. Decided before capacity.
 */
public final class RandomSecond {

    private RandomSecond() {}

    /**
     * The choices that ask.
     *
     * @param topKIndices [T, 2], experts by rank
     * @param shares [T, 2], their weights, that sum to 1 per token
     * @param uniforms [T]
     * @param threshold above 0; a second choice with this share or more always asks
     * @return [T, 2], {@code topKIndices} with -1 for the second choices that do not ask
     */
    public static int[] asking(
            int[] topKIndices, float[] shares, float[] uniforms, float threshold) {
        if (!(threshold > 0)) {
            throw new IllegalArgumentException(
                    "threshold is %s; allowed: above 0".formatted(threshold));
        }
        int[] asking = topKIndices.clone();
        for (int token = 0; token < uniforms.length; token++) {
            int second = 2 * token + 1;
            if (!(uniforms[token] < shares[second] / threshold)) {
                asking[second] = -1;
            }
        }
        return asking;
    }
}
