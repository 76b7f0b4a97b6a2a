// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What each of several gates chose for T tokens. The choices of the tokens are the union of it. The
 * ranks of a token stand side by side: those of gate 0, then those of gate 1, and so on. S is their
 * number.
 *
 * @param sizes [G], the number of ranks of each gate; empty if the layer has one gate, whose ranks
 *     are the choices themselves
 * @param places [T, S], the place of the rank's expert among the choices of the token; -1 for none
 * @param weights [T, S], the factors of the experts' outputs in the sums of the gates
 * @param scores [T, S], neither normalized nor scaled; or empty
 */
@Internal
public record GateRanks(int[] sizes, short[] places, float[] weights, float[] scores) {

    /** The layer has one gate. */
    public static final GateRanks ONE =
            new GateRanks(new int[0], new short[0], new float[0], new float[0]);

    /** Whether the layer has one gate. */
    public boolean isOne() {
        return sizes.length == 0;
    }

    /** S, the number of ranks of a token. */
    public int sum() {
        int sum = 0;
        for (int size : sizes) {
            sum += size;
        }
        return sum;
    }

    /** The same with other weights. */
    GateRanks withWeights(float[] others) {
        return new GateRanks(sizes, places, others, scores);
    }

    /** Returns the ranks of some tokens. */
    GateRanks select(int[] rows) {
        if (isOne()) {
            return this;
        }
        int sum = sum();
        GateRanks selected =
                new GateRanks(
                        sizes,
                        new short[rows.length * sum],
                        new float[rows.length * sum],
                        scores.length == 0 ? scores : new float[rows.length * sum]);
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(places, rows[i] * sum, selected.places, i * sum, sum);
            System.arraycopy(weights, rows[i] * sum, selected.weights, i * sum, sum);
            if (scores.length > 0) {
                System.arraycopy(scores, rows[i] * sum, selected.scores, i * sum, sum);
            }
        }
        return selected;
    }

    void write(DataOutputView out) throws IOException {
        Wire.writeInts(sizes, out);
        if (!isOne()) {
            Wire.writeShorts(places, out);
            Wire.writeFloats(weights, out);
            Wire.writeFloats(scores, out);
        }
    }

    static GateRanks read(DataInputView in) throws IOException {
        int[] sizes = Wire.readInts(in);
        return sizes.length == 0
                ? ONE
                : new GateRanks(
                        sizes, Wire.readShorts(in), Wire.readFloats(in), Wire.readFloats(in));
    }
}
