// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.runtime.block.SingleToken;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.RouterOutcomes;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.OutputTag;

/** What a router does with late tokens: {@link #KEEP} or {@link Divert}. */
@Internal
public interface LateTokens {

    /** The side output for late tokens, if they are diverted. */
    OutputTag<Token> OUTPUT = new OutputTag<>("late-tokens", Token.TYPE);

    /** Scores late tokens with their residual only. */
    LateTokens KEEP = tokens -> tokens;

    /** Returns the tokens that are scored. */
    TokenBlock filter(TokenBlock tokens) throws Exception;

    /**
     * Emits late tokens to the side output.
     *
     * @param outcomes counts the choices that they would have made
     * @param inputs the columns of the tokens
     */
    record Divert(Output<?> output, RouterOutcomes outcomes, InputLayout inputs)
            implements LateTokens {
        @Override
        public TokenBlock filter(TokenBlock tokens) throws Exception {
            int[] late = tokens.rowsThatAreLate(true);
            if (late.length == 0) {
                return tokens;
            }
            int width = inputs.words();
            TokenBlock diverted = tokens.select(late, width);
            outcomes.countDiverted(diverted);
            for (TokenBlock token : diverted.slices(1, width)) {
                output.collect(
                        OUTPUT,
                        new StreamRecord<>(SingleToken.of(token, inputs), token.timestamps()[0]));
            }
            return tokens.select(tokens.rowsThatAreLate(false), width)
                    .withLate(TokenBlock.NONE_LATE);
        }
    }
}
