// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.config.Draws;
import io.flinkmoe.routing.NoiseSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/**
 * The draws that a golden case has recorded.
 *
 * @param rows the row of the case that each token of a call is
 */
record RecordedNoise(GoldenCase golden, int[] rows, int width, int numExperts)
        implements NoiseSource {

    /** Draws for tokens that stand in the order of the case. */
    static RecordedNoise of(GoldenCase golden) {
        int[] rows = new int[golden.integer("tokens")];
        for (int row = 0; row < rows.length; row++) {
            rows[row] = row;
        }
        return ofRows(golden, rows);
    }

    private static RecordedNoise ofRows(GoldenCase golden, int[] rows) {
        return new RecordedNoise(
                golden, rows, golden.integer("d_model"), golden.integer("num_experts"));
    }

    /** Draws for tokens whose position is their row, in whatever process they are routed. */
    static Draws draws(GoldenCase golden) {
        String folder = GoldenCases.folder().resolve(golden.toString()).toString();
        return (streams, positions, layer) -> {
            int[] rows = new int[positions.length];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = (int) positions[i];
            }
            try {
                return ofRows(GoldenCase.open(Path.of(folder)), rows);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        };
    }

    @Override
    public float uniform(int token) {
        return golden.floats("noise.second_uniform")[rows[token]];
    }

    /** With an ε of 1 the multiplier 1 - ε + 2εu is 2u. */
    @Override
    public float uniform(int token, int value) {
        return golden.floats("noise.input_multiplier")[rows[token] * width + value] / 2;
    }

    @Override
    public float normal(int token, int expert) {
        return golden.floats("noise.normal")[rows[token] * numExperts + expert];
    }

    @Override
    public float gumbel(int token, int expert) {
        return golden.floats("noise.gumbel")[rows[token] * numExperts + expert];
    }

    @Override
    public float priority(int token, int expert) {
        return golden.floats("noise.rts_uniform")[rows[token] * numExperts + expert];
    }
}
