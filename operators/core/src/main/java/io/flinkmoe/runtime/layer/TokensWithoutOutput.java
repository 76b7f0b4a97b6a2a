// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.layer.RouterBatch;
import io.flinkmoe.runtime.block.TokenBlock;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * Tells for which tokens some layer had no output: it has no residual, and no expert executed a
 * choice of the token. No later layer can compute anything for them.
 *
 * @param layers the layers that need an expert, of those that the tokens have passed
 */
@Internal
public record TokensWithoutOutput(int[] layers) {

    /** Of the layers before layer {@code end}. */
    public static TokensWithoutOutput before(int end, BundleSpec spec) {
        return new TokensWithoutOutput(
                IntStream.range(0, end)
                        .filter(layer -> spec.layers().get(layer).needsAnExpert())
                        .toArray());
    }

    /** Whether a token has no output. */
    public boolean contains(TokenBlock tokens, int row) {
        for (int layer : layers) {
            if (!tokens.layers()[layer].isAnyExecuted(row)) {
                return true;
            }
        }
        return false;
    }

    /** Flags the tokens, [T]; {@link RouterBatch#NONE_ABSENT} if there are none. */
    public boolean[] flags(TokenBlock tokens) {
        boolean[] flags = RouterBatch.NONE_ABSENT;
        for (int row = 0; row < tokens.rows() && layers.length > 0; row++) {
            if (contains(tokens, row)) {
                flags = flags.length == 0 ? new boolean[tokens.rows()] : flags;
                flags[row] = true;
            }
        }
        return flags;
    }
}
