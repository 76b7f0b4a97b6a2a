// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.gpu;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import java.util.SplittableRandom;
import org.apache.flink.annotation.Internal;

/**
 * One MoE layer of SwiGLU experts with random weights, the same in every run.
 *
 * @param d the width of a vector
 * @param h the inner width of an expert
 * @param numExperts N
 * @param k the experts per token
 */
@Internal
record GpuShape(String name, int d, int h, int numExperts, int k) {

    /** The precision of weights and computation. */
    enum Precision {
        FP32(4, 1e-4),
        FP16(2, 2e-2);

        final int bytes;

        /**
         * The maximum difference from the CPU's answers in float32, relative to the largest answer.
         */
        final double tolerance;

        Precision(int bytes, double tolerance) {
            this.bytes = bytes;
            this.tolerance = tolerance;
        }
    }

    static final GpuShape LARGE = new GpuShape("large", 1024, 3584, 8, 2);

    /** A layer of DeepSeek-V3, without its shared expert. */
    static final GpuShape DEEPSEEK_V3 = new GpuShape("deepseek-v3", 7168, 2048, 256, 8);

    /** The same shape with 1/16 of both widths, and at most 32 experts. */
    GpuShape small() {
        return new GpuShape("small-" + name, d / 16, h / 16, Math.min(numExperts, 32), k);
    }

    long expertBytes(Precision precision) {
        return 3L * d * h * precision.bytes;
    }

    byte[] expert(int seed, Precision precision) {
        float[] w1 = random(3 * seed, h * d, d);
        float[] w3 = random(3 * seed + 1, h * d, d);
        float[] w2 = random(3 * seed + 2, d * h, h);
        return precision == Precision.FP32
                ? ExpertGraphs.gated(Activation.SILU, w1, w3, w2, d, h)
                : ExpertGraphs.gatedHalf(w1, w3, w2, d, h);
    }

    /** Values that preserve the magnitude of their input. */
    static float[] random(int seed, int count, int in) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[count];
        double scale = Math.sqrt(3.0 / in);
        for (int i = 0; i < count; i++) {
            values[i] = (float) (scale * (2 * random.nextDouble() - 1));
        }
        return values;
    }
}
