// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.api.RouterLogits;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.runtime.block.TokenBlock;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Emits the router logits of every token.
 *
 * @param layer the MoE layer, counted from 0
 */
@Internal
record LogitsOutput(Output<?> output, int layer) {

    /** Emits one record per token and gate with a router. */
    void emit(TokenBlock tokens, Routed routed) {
        for (int gate = 0; gate < routed.gates(); gate++) {
            if (routed.routing(gate) != null) {
                emit(tokens, gate, routed.logits(gate), routed.routing(gate).numExperts());
            }
        }
    }

    private void emit(TokenBlock tokens, int gate, float[] logits, int n) {
        for (int row = 0; row < tokens.rows(); row++) {
            output.collect(
                    RouterLogits.OUTPUT,
                    new StreamRecord<>(
                            new RouterLogits(
                                    layer,
                                    gate,
                                    tokens.streams()[row],
                                    tokens.positions()[row],
                                    Arrays.copyOfRange(logits, row * n, (row + 1) * n))));
        }
    }
}
