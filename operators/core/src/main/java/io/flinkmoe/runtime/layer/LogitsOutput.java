// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.api.RouterLogits;
import io.flinkmoe.runtime.block.TokenBlock;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Emits the router logits of every token.
 *
 * @param layer the MoE layer, counted from 0
 * @param numExperts N
 */
@Internal
record LogitsOutput(Output<?> output, int layer, int numExperts) {

    /**
     * Emits one record per token.
     *
     * @param logits [T, N]
     */
    void emit(TokenBlock tokens, float[] logits) {
        for (int row = 0; row < tokens.rows(); row++) {
            int from = row * numExperts;
            output.collect(
                    RouterLogits.OUTPUT,
                    new StreamRecord<>(
                            new RouterLogits(
                                    layer,
                                    tokens.streams()[row],
                                    tokens.positions()[row],
                                    Arrays.copyOfRange(logits, from, from + numExperts))));
        }
    }
}
