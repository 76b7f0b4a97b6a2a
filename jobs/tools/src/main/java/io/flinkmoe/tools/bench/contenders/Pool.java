// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.TypedValuesBuilder;
import java.util.SplittableRandom;
import org.apache.flink.annotation.Internal;

/**
 * Random vectors that are created once and emitted repeatedly, so that creating them takes no time.
 */
@Internal
public final class Pool {

    private static final int MAX_FLOATS = 1 << 21;
    private static final int MAX_VECTORS = 4096;

    private Pool() {}

    /**
     * @return 4096 vectors, or as many as fit 8 MiB; the variance of their values is 1
     */
    public static float[][] of(int width, int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        double scale = Math.sqrt(3);
        float[][] vectors = new float[Math.min(MAX_VECTORS, MAX_FLOATS / width)][width];
        for (float[] vector : vectors) {
            for (int i = 0; i < width; i++) {
                vector[i] = (float) (scale * (2 * random.nextDouble() - 1));
            }
        }
        return vectors;
    }

    /** Returns tokens with such values; an integer is a rounded value. */
    static Token[] tokens(InputLayout inputs, int seed) {
        int columns = inputs.inputs().size();
        float[][] vectors = of(inputs.isVector() ? inputs.words() : columns, seed);
        Token[] tokens = new Token[vectors.length];
        TypedValuesBuilder builder = new TypedValuesBuilder(inputs);
        for (int i = 0; i < tokens.length; i++) {
            if (inputs.isVector()) {
                tokens[i] = new Token("", 0, 0, vectors[i]);
                continue;
            }
            for (int column = 0; column < columns; column++) {
                float value = vectors[i][column];
                boolean isReal = inputs.inputs().get(column).type().isReal();
                builder.setDouble(column, 0, isReal ? value : Math.rint(value));
            }
            tokens[i] = Token.of("", 0, 0, builder.build());
        }
        return tokens;
    }
}
