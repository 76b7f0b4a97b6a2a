// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import io.flinkmoe.routing.NoiseSource;
import org.apache.flink.annotation.Internal;

/**
 * T tokens at a layer.
 *
 * @param vectors [T, input width] float32, little endian; at the first layer the packed numbers of
 *     the input columns, [T, words]
 * @param strings [T, S], the strings of the input columns; may be empty if nothing reads them
 * @param streams [T], the streams, which rules read; null for a token without one
 * @param absent [T], the tokens for which an earlier layer had no output; empty if there are none
 * @param noise the random numbers for the noise of the layer; null for no noise
 */
@Internal
public record RouterBatch(
        byte[] vectors, String[] strings, String[] streams, boolean[] absent, NoiseSource noise) {

    /** The {@code absent} of a batch whose tokens all have an input. */
    public static final boolean[] NONE_ABSENT = {};

    /** The {@code strings} of a batch without string columns. */
    public static final String[] NO_STRINGS = {};

    /** T. */
    public int tokens() {
        return streams.length;
    }

    /**
     * A string of a token; null if the batch has none.
     *
     * @param string the number of the string among the S of a token
     */
    String string(int token, int string) {
        return strings.length == 0
                ? null
                : strings[token * (strings.length / streams.length) + string];
    }

    /** Whether an earlier layer had no output for a token. */
    boolean isAbsent(int token) {
        return absent.length > 0 && absent[token];
    }
}
