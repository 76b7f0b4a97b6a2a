// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.onnx.DirectRows;
import org.apache.flink.annotation.Internal;

/**
 * One gate of a layer: a {@link ModelGate} or a {@link RuleGate}. Arrays are those of the last
 * call, for its T tokens; the next call reuses them.
 */
@Internal
interface Gate {

    /** k, the choices per token. */
    int k();

    /** K, the ranks per token: k, or more if overflow is rerouted. */
    int ranks();

    /**
     * Routes T tokens.
     *
     * @param input the vectors that the layer's gates and experts read
     */
    void route(RouterBatch batch, DirectRows input) throws OrtException;

    /** The chosen experts of the layer [T, K], in order of rank; -1 for a rank without one. */
    int[] experts();

    /** Their weights [T, K]. */
    float[] weights();

    /** The raw scores of the chosen experts [T, K], neither normalized nor scaled; 0 for none. */
    float[] scores(int tokens);

    /** What keeps a token from being routed; {@link RoutingFault#NONE} for nothing. */
    RoutingFault fault(int token);

    /** What multiplies the weights after a weight rule that replaces them. */
    double laterFactor();
}
