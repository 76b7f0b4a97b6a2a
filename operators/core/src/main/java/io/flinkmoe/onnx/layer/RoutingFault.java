// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import org.apache.flink.annotation.Internal;

/**
 * What keeps a layer from sending a token to its experts. The first fault of a token counts, but a
 * rejection before any other.
 */
@Internal
public enum RoutingFault {
    /** None: the experts can be asked. */
    NONE,
    /** The encoder's output. The token has no residual either: it is rejected. */
    ENCODING,
    /** A rule has no expert for the token, and no fallback: it is rejected. */
    NO_MATCH,
    /** An earlier layer, without a residual, had no output for the token. */
    NO_INPUT,
    /** A router logit is NaN or +∞, fewer than k are finite, or a weight is negative. */
    LOGITS,
    /** A weight, or the scale that multiplies the weights. */
    WEIGHTS,
    /** The sum of the residual and the shared experts' outputs. */
    SHARED_OUTPUT;

    /** Whether a token with this fault is rejected. */
    public boolean isRejection() {
        return this == ENCODING || this == NO_MATCH;
    }

    /**
     * Why a token is rejected; the fault must be a rejection.
     *
     * @param layer the MoE layer, counted from 0
     */
    public String reason(int layer, long position, String stream) {
        String token = "position %d of stream %s".formatted(position, stream);
        return this == ENCODING
                ? "the encoder's output for %s is not finite".formatted(token)
                : "layer %d has a rule without an expert for %s, and without a fallback"
                        .formatted(layer, token);
    }
}
