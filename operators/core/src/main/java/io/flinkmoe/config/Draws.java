package io.flinkmoe.config;

import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.SeededNoise;
import java.io.Serializable;
import org.apache.flink.annotation.Experimental;

/** Where the random draws of tokens come from, for layers with noise and for random admission. */
@Experimental
@FunctionalInterface
public interface Draws extends Serializable {

    /** Draws that are a function of stream, position and layer, so that a replay draws the same. */
    Draws SEEDED =
            (streams, positions, layer) -> {
                long[] seeds = new long[streams.length];
                for (int row = 0; row < seeds.length; row++) {
                    seeds[row] = SeededNoise.seed(streams[row], positions[row], layer);
                }
                return new SeededNoise(seeds);
            };

    /**
     * The draws of T tokens in one layer.
     *
     * @param streams [T]
     * @param positions [T]
     * @param layer the MoE layer, counted from 0
     */
    NoiseSource of(String[] streams, long[] positions, int layer);
}
