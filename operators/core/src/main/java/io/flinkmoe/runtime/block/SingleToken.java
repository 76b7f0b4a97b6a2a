// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.tensor.Floats;
import org.apache.flink.annotation.Internal;

/** The token of a block of one token, as users see it. */
@Internal
public final class SingleToken {

    private SingleToken() {}

    /** Returns the token of a block whose vectors are still its inputs. */
    public static Token of(TokenBlock block, InputLayout inputs) {
        String stream = block.streams()[0];
        long position = block.positions()[0];
        long timestamp = block.timestamps()[0];
        Token token =
                inputs.isVector()
                        ? new Token(stream, position, timestamp, Floats.toFloats(block.vectors()))
                        : Token.of(
                                stream,
                                position,
                                timestamp,
                                inputs.row(block.vectors(), block.strings(), 0));
        return block.payload(0) == null ? token : token.withPayload(block.payload(0));
    }

    /** Returns the token of a block whose inputs are no longer known. */
    public static Token withoutInputs(TokenBlock block) {
        return new Token(
                block.streams()[0], block.positions()[0], block.timestamps()[0], new float[0]);
    }
}
