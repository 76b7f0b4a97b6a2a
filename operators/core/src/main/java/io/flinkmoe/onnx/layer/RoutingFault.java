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
    SHARED_OUTPUT
}
