// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.Internal;

/**
 * Draws that are a function of the token's stream and position and of the layer. So parallelism,
 * batching and failures do not change them. The generator is the mixing function of SplitMix64
 * (Steele et al. 2014) applied to a counter.
 */
@Internal
public final class SeededNoise implements NoiseSource {

    private static final long GAMMA = 0x9E3779B97F4A7C15L;

    private final long[] seeds;

    /**
     * @param seeds one per token of the call
     */
    public SeededNoise(long[] seeds) {
        this.seeds = seeds;
    }

    /** The draws of T tokens in a layer, by their streams and positions, [T] each. */
    public static SeededNoise of(String[] streams, long[] positions, int layer) {
        long[] seeds = new long[streams.length];
        for (int row = 0; row < seeds.length; row++) {
            seeds[row] = seed(streams[row], positions[row], layer);
        }
        return new SeededNoise(seeds);
    }

    /** The seed of a token in a layer. */
    public static long seed(String stream, long position, int layer) {
        long seed = mix(layer + 1);
        for (int i = 0; i < stream.length(); i++) {
            seed = mix(seed ^ stream.charAt(i));
        }
        return mix(seed ^ position);
    }

    @Override
    public float uniform(int token) {
        return (float) draw(token, 0, 0);
    }

    @Override
    public float uniform(int token, int value) {
        return (float) draw(token, 1, value);
    }

    @Override
    public float normal(int token, int expert) {
        // Box and Muller; 1 - u is never 0.
        double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - draw(token, 2, expert)));
        return (float) (radius * StrictMath.cos(2 * Math.PI * draw(token, 3, expert)));
    }

    @Override
    public float gumbel(int token, int expert) {
        // Half a step keeps u off 0 and 1, where a logarithm is infinite.
        double u = draw(token, 4, expert) * (1 - 0x1.0p-52) + 0x1.0p-54;
        return (float) -StrictMath.log(-StrictMath.log(u));
    }

    @Override
    public float priority(int token, int expert) {
        return (float) draw(token, 5, expert);
    }

    /** Uniform in [0, 1) with 53 bits. */
    private double draw(int token, int kind, int index) {
        long bits = mix(seeds[token] + GAMMA * (((long) kind << 32) + index + 1));
        return (bits >>> 11) * 0x1.0p-53;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
