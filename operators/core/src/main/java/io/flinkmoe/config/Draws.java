// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.SeededNoise;
import java.io.Serializable;
import org.apache.flink.annotation.Experimental;

/** The source of the random draws of tokens, for router noise and for random admission. */
@Experimental
@FunctionalInterface
public interface Draws extends Serializable {

    /** No draws: layers run without noise, and no admission is random. */
    Draws NONE = (streams, positions, layer) -> null;

    /** Draws that depend only on stream, position and layer, so a replay draws the same values. */
    Draws SEEDED = SeededNoise::of;

    /**
     * Returns the draws of T tokens in one layer.
     *
     * @param streams [T], the streams of the tokens
     * @param positions [T], the positions of the tokens in their streams
     * @param layer the MoE layer, counted from 0
     */
    NoiseSource of(String[] streams, long[] positions, int layer);
}
