// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.SeededNoise;
import org.apache.flink.annotation.Internal;

/** The draws of a layer, for its noise and for random admission. */
@Internal
@FunctionalInterface
public interface LayerNoise {

    /** No draws: the layers run without noise, and no admission is random. */
    LayerNoise NONE = (streams, positions, layer) -> null;

    /** The draws of the operators: a function of stream, position and layer. */
    LayerNoise SEEDED = SeededNoise::of;

    /**
     * The draws of T tokens in one layer.
     *
     * @param streams [T]
     * @param positions [T]
     * @param layer the MoE layer, counted from 0
     */
    NoiseSource of(String[] streams, long[] positions, int layer);
}
