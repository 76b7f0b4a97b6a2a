// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import java.util.SplittableRandom;
import org.apache.flink.annotation.Internal;

/**
 * Random vectors that are created once and emitted repeatedly, so that creating them takes no time.
 */
@Internal
public final class Pool {

    private static final int MAX_FLOATS = 1 << 21;
    private static final int MAX_VECTORS = 4096;

    private Pool() {}

    /**
     * @return 4096 vectors, or as many as fit 8 MiB; the variance of their values is 1
     */
    public static float[][] of(int width, int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        double scale = Math.sqrt(3);
        float[][] vectors = new float[Math.min(MAX_VECTORS, MAX_FLOATS / width)][width];
        for (float[] vector : vectors) {
            for (int i = 0; i < width; i++) {
                vector[i] = (float) (scale * (2 * random.nextDouble() - 1));
            }
        }
        return vectors;
    }
}
