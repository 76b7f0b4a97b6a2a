// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.runtime.block.GateRanks;
import org.apache.flink.annotation.Internal;

/** Where the ranks and the sum of each gate of a layer are. */
@Internal
final class GateColumns {

    private final int[] ranksOfGate;
    private final int[] columnOfGate;
    private final int[] widthOfGate;
    private final int ranks;
    private final int widest;

    GateColumns(LayerSpec layer) {
        int count = layer.gates().size();
        ranksOfGate = new int[count];
        columnOfGate = new int[count];
        widthOfGate = new int[count];
        int sum = 0;
        int column = 0;
        for (int gate = 0; gate < count; gate++) {
            ranksOfGate[gate] = layer.gates().get(gate).k();
            columnOfGate[gate] = column;
            widthOfGate[gate] = layer.gateWidth(gate);
            sum += ranksOfGate[gate];
            column += widthOfGate[gate];
        }
        ranks = sum;
        widest = layer.experts().stream().mapToInt(ExpertSpec::outputSize).max().orElseThrow();
    }

    /** G. */
    int count() {
        return ranksOfGate.length;
    }

    /** S, the ranks of all gates. */
    int ranks() {
        return ranks;
    }

    int ranksOf(int gate) {
        return ranksOfGate[gate];
    }

    /** The first column of the gate's sum in the layer's output. */
    int columnOf(int gate) {
        return columnOfGate[gate];
    }

    /** The width of the gate's sum. */
    int widthOf(int gate) {
        return widthOfGate[gate];
    }

    /** The width of the widest output of an expert. */
    int widest() {
        return widest;
    }

    /**
     * Returns the weights of all ranks [T, S] after a rule, which is applied to each gate by
     * itself.
     *
     * @param k choices per token
     * @param executed [T, k]
     * @param scales [T, G], or empty
     */
    float[] weigh(GateRanks gates, int k, boolean[] executed, WeightRule rule, float[] scales) {
        float[] all = gates.weights().clone();
        int tokens = executed.length / k;
        int from = 0;
        for (int gate = 0; gate < count(); gate++) {
            int size = ranksOfGate[gate];
            float[] weights = new float[tokens * size];
            boolean[] executedRanks = new boolean[tokens * size];
            float[] scalesOfGate = new float[scales.length == 0 ? 0 : tokens];
            for (int i = 0; i < weights.length; i++) {
                int at = i / size * ranks + from + i % size;
                int place = gates.places()[at];
                weights[i] = all[at];
                executedRanks[i] = place >= 0 && executed[i / size * k + place];
            }
            for (int token = 0; token < scalesOfGate.length; token++) {
                scalesOfGate[token] = scales[token * count() + gate];
            }
            rule.apply(weights, executedRanks, size, scalesOfGate);
            for (int i = 0; i < weights.length; i++) {
                all[i / size * ranks + from + i % size] = weights[i];
            }
            from += size;
        }
        return all;
    }
}
