// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.runtime.block.Vectors;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Scratch memory for the sums of one token: the outputs of its experts, each read once for all
 * gates, and the sum of one gate. All begin at index 0 of an array of their own, because the JVM
 * vectorizes additions only then.
 */
@Internal
final class GateOutputs {

    private final float[][] outputs; // by place among the token's choices
    private final boolean[] isRead;
    private final float[] sum;

    /**
     * @param choices the most choices of a token
     * @param widest the width of the widest output of an expert
     */
    GateOutputs(int choices, int widest) {
        outputs = new float[choices][];
        isRead = new boolean[choices];
        sum = new float[widest];
    }

    /** Any of the arrays, for the outputs of one expert after another. */
    float[] buffer() {
        return array(0);
    }

    /** Starts with another token. */
    void clear() {
        Arrays.fill(isRead, false);
    }

    /** Starts the sum of a gate, which is part of a row. */
    float[] startSum(float[] row, int column, int width) {
        System.arraycopy(row, column, sum, 0, width);
        return sum;
    }

    /** The output for a choice of the token: vector {@code index}, of this width. */
    float[] of(int place, Vectors vectors, int index, int width) {
        float[] output = array(place);
        if (!isRead[place]) {
            isRead[place] = true;
            vectors.get(index, output, width);
        }
        return output;
    }

    private float[] array(int place) {
        if (outputs[place] == null) {
            outputs[place] = new float[sum.length];
        }
        return outputs[place];
    }
}
