// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.routing.NoiseSource;
import org.apache.flink.annotation.Internal;

/**
 * T tokens at a layer.
 *
 * @param vectors [T, input width] float32, little endian
 * @param tokens T
 * @param streams [T], the streams, which rules read; null for a token without one
 * @param absent [T], the tokens for which an earlier layer had no output; empty if there are none
 * @param noise the random numbers for the noise of the layer; null for no noise
 */
@Internal
public record RouterBatch(
        byte[] vectors, int tokens, String[] streams, boolean[] absent, NoiseSource noise) {

    /** The {@code absent} of a batch whose tokens all have an input. */
    public static final boolean[] NONE_ABSENT = {};

    /** Whether an earlier layer had no output for a token. */
    boolean isAbsent(int token) {
        return absent.length > 0 && absent[token];
    }
}
