// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.gates;

import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.TokenMetadata;
import java.util.List;
import java.util.Random;

/** Tokens of five streams, drawn at random. */
final class GeneralTokens {

    private GeneralTokens() {}

    /** The token at a position, which is its timestamp too. */
    static Token draw(int position, int width, Random random) {
        float[] values = new float[width];
        for (int i = 0; i < width; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return new Token("s" + random.nextInt(5), position, position, values);
    }

    static float[] matrix(List<Token> tokens) {
        int width = tokens.get(0).values().length;
        float[] x = new float[tokens.size() * width];
        for (int row = 0; row < tokens.size(); row++) {
            System.arraycopy(tokens.get(row).values(), 0, x, row * width, width);
        }
        return x;
    }

    static TokenMetadata metadata(List<Token> tokens) {
        return new TokenMetadata(
                tokens.stream().mapToLong(Token::timestamp).toArray(),
                tokens.stream().map(Token::stream).toArray(String[]::new),
                tokens.stream().mapToLong(Token::position).toArray());
    }
}
