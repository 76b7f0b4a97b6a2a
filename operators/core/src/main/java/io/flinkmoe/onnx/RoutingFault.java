// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import org.apache.flink.annotation.Internal;

/** The first value that is not finite where a layer sees a token before the experts do. */
@Internal
public enum RoutingFault {
    /** None: the experts can be asked. */
    NONE,
    /** The encoder's output. The token has no residual either: it is rejected. */
    ENCODING,
    /** A router logit is NaN or +∞, or fewer than k are finite. */
    LOGITS,
    /** A weight, or the scale that multiplies the weights. */
    WEIGHTS,
    /** The sum of the residual and the shared experts' outputs. */
    SHARED_OUTPUT
}
