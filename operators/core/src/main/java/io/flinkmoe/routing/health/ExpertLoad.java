// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing.health;

import io.flinkmoe.routing.LogitMatrix;
import io.flinkmoe.routing.TopK;
import org.apache.flink.annotation.Internal;

/**
 * How many of T tokens each of N experts gets, with k experts per token. The load is counted, or is
 * the expectation over the noise of the router, which is smooth in the logits. With z the clean
 * logits, H = z + noise, and Phi the normal distribution function:
 *
 * <pre>
 *   Shazeer et al. 2017 (arXiv 1701.06538, eq. 8-10), tensor2tensor's noisy top-k:
 *     load_e = sum_t Phi((z_te - threshold_te) / std_te)
 *     threshold = the k-th largest H of the other experts of t: the (k+1)-th largest of all if e is
 *                 chosen, the k-th otherwise
 *   V-MoE (arXiv 2106.05974, appendix A):
 *     load_e = mean_t 1 - Phi((threshold_t - z_te) / std), threshold = the k-th largest H of t
 * </pre>
 */
@Internal
public final class ExpertLoad {

    private ExpertLoad() {}

    /**
     * The choices of each expert; -1 is no choice.
     *
     * @param topKIndices [T, k]
     * @return [N]
     */
    public static double[] count(int[] topKIndices, int numExperts) {
        LogitMatrix.checkExperts(topKIndices, numExperts);
        double[] load = new double[numExperts];
        for (int expert : topKIndices) {
            if (expert >= 0) {
                load[expert]++;
            }
        }
        return load;
    }

    /**
     * The load of noisy top-k. Where the deviation is 0 a choice counts 0 or 1, and so do all if k
     * = N.
     *
     * @param cleanLogits [T, N]
     * @param noisyLogits [T, N], those that the experts were chosen by
     * @param noiseStddev [T, N]
     * @param topKIndices [T, k], in descending order of the noisy logits
     * @return [N]
     */
    public static double[] noisyTopK(
            float[] cleanLogits,
            float[] noisyLogits,
            float[] noiseStddev,
            int[] topKIndices,
            int numExperts) {
        LogitMatrix noisy = LogitMatrix.of(noisyLogits, numExperts);
        LogitMatrix clean = sameShape("cleanLogits", cleanLogits, noisy);
        LogitMatrix stddev = sameShape("noiseStddev", noiseStddev, noisy);
        int k = noisy.choicesPerToken(topKIndices);
        if (k == numExperts) {
            return count(topKIndices, numExperts);
        }
        double[] load = new double[numExperts];
        boolean[] chosen = new boolean[numExperts];
        for (int token = 0; token < noisy.tokens(); token++) {
            for (int rank = 0; rank < k; rank++) {
                chosen[topKIndices[token * k + rank]] = true;
            }
            double ifOut = noisy.at(token, topKIndices[token * k + k - 1]);
            double ifIn = Double.NEGATIVE_INFINITY;
            for (int expert = 0; expert < numExperts; expert++) {
                ifIn = chosen[expert] ? ifIn : Math.max(ifIn, noisy.at(token, expert));
            }
            for (int expert = 0; expert < numExperts; expert++) {
                double above = clean.at(token, expert) - (chosen[expert] ? ifIn : ifOut);
                double std = stddev.at(token, expert);
                double certain = chosen[expert] ? 1 : 0;
                load[expert] += std == 0 ? certain : NormalDistribution.cdf(above / std);
                chosen[expert] = false;
            }
        }
        return load;
    }

    /**
     * V-MoE's load loss: population variance / mean² of its load.
     *
     * @param cleanLogits [T, N]
     * @param noisyLogits [T, N]
     * @param noiseStd the deviation of the noise, above 0; V-MoE's is 1/N
     */
    public static double vmoeLoss(
            float[] cleanLogits, float[] noisyLogits, double noiseStd, int k, int numExperts) {
        LogitMatrix noisy = LogitMatrix.of(noisyLogits, numExperts);
        LogitMatrix clean = sameShape("cleanLogits", cleanLogits, noisy);
        if (!(noiseStd > 0)) {
            throw new IllegalArgumentException(
                    "noise_std is %s; allowed: above 0".formatted(noiseStd));
        }
        if (k < 1 || k > numExperts) {
            throw new IllegalArgumentException(
                    "k is %d; allowed: 1 to num_experts, which is %d".formatted(k, numExperts));
        }
        TopK topK = new TopK(numExperts, k, null);
        int[] best = new int[k];
        double[] load = new double[numExperts];
        for (int token = 0; token < noisy.tokens(); token++) {
            topK.select(noisyLogits, token * numExperts, 1, best, 0);
            double threshold = noisy.at(token, best[k - 1]);
            for (int expert = 0; expert < numExperts; expert++) {
                double above = clean.at(token, expert) - threshold;
                load[expert] += NormalDistribution.cdf(above / noiseStd) / noisy.tokens();
            }
        }
        return Importance.cv2WithoutEpsilon(load);
    }

    private static LogitMatrix sameShape(String name, float[] values, LogitMatrix other) {
        if (values.length != other.values().length) {
            throw new IllegalArgumentException(
                    "%s have %d values; allowed: as many as noisyLogits, which have %d"
                            .formatted(name, values.length, other.values().length));
        }
        return LogitMatrix.of(values, other.numExperts());
    }
}
