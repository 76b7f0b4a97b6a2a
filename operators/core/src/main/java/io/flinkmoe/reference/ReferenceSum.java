// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.layer.LayerOutput;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The output of a layer: the weighted sums of the gates, in order of rank, and what {@link
 * LayerOutput} makes of them.
 */
@Internal
final class ReferenceSum {

    private final LayerSpec spec;
    private final WeightRule rule;
    private final LayerOutput output;
    private final int k;
    private final int ranks; // of all gates
    private final int[] widths; // of the sum of each gate

    ReferenceSum(LayerSpec spec, WeightRule rule, LayerOutput output) {
        this.spec = spec;
        this.rule = rule;
        this.output = output;
        this.k = spec.choices();
        this.ranks = spec.ranks();
        this.widths = new int[spec.gates().size()];
        for (int gate = 0; gate < widths.length; gate++) {
            widths[gate] = spec.gateWidth(gate);
        }
    }

    /**
     * Writes the output of T tokens, and the final weights and outcomes of their choices.
     *
     * @param outputs [T, k, widest], the outputs of the experts
     */
    void write(RoutedLayer routed, float[] outputs, int widest, LayerResult result)
            throws OrtException {
        int tokens = result.outcomes().length / k;
        weigh(routed, result);
        int width = spec.outputSize();
        for (int token = 0; token < tokens; token++) {
            float[] carried = carried(routed, token);
            float[] y = sum(routed, token, outputs, widest, result);
            if (!output.isDirect()) {
                float[] sum = y;
                y = new float[width];
                output.apply(carried, new boolean[] {result.isAnyExecuted(token, k)}, sum, y);
            }
            if (!Floats.allFinite(y, 0, width)) {
                fail(token, result);
                output.startOutput(carried, y);
            }
            System.arraycopy(y, 0, result.out(), token * width, width);
        }
    }

    private float[] carried(RoutedLayer routed, int token) {
        int size = spec.carriedSize();
        return Arrays.copyOfRange(routed.carried, token * size, (token + 1) * size);
    }

    private void weigh(RoutedLayer routed, LayerResult result) {
        boolean[] executed = new boolean[result.outcomes().length];
        for (int choice = 0; choice < executed.length; choice++) {
            executed[choice] = result.isExecuted(choice);
        }
        if (spec.hasOneGate()) {
            rule.apply(result.weights(), executed, k, routed.scales);
            return;
        }
        int from = 0;
        for (int gate = 0; gate < result.gates().size(); gate++) {
            float[] weights = result.gates().get(gate).weights();
            int ofGate = spec.gates().get(gate).k();
            boolean[] executedRanks = new boolean[weights.length];
            for (int i = 0; i < weights.length; i++) {
                int place = place(routed, i / ofGate, from + i % ofGate);
                executedRanks[i] = place >= 0 && executed[i / ofGate * k + place];
            }
            float[] scales = ofGate(routed.scales, gate);
            rule.apply(weights, executedRanks, ofGate, scales);
            for (int i = 0; i < weights.length; i++) {
                int place = place(routed, i / ofGate, from + i % ofGate);
                if (place >= 0) {
                    result.weights()[i / ofGate * k + place] += weights[i];
                }
            }
            from += ofGate;
        }
    }

    private float[] ofGate(float[] scales, int gate) {
        int gates = spec.gates().size();
        float[] own = new float[scales.length / gates];
        for (int token = 0; token < own.length; token++) {
            own[token] = scales[token * gates + gate];
        }
        return own;
    }

    /** The place among a token's choices of rank {@code at} of all gates; -1 for none. */
    private int place(RoutedLayer routed, int token, int at) {
        return routed.places[token * ranks + at];
    }

    private float[] sum(
            RoutedLayer routed, int token, float[] outputs, int widest, LayerResult result) {
        float[] sum = new float[output.sumWidth()];
        output.startSum(carried(routed, token), sum);
        if (spec.hasOneGate()) {
            for (int choice = token * k; choice < token * k + k; choice++) {
                if (result.isExecuted(choice)) {
                    float weight = spec.options().weighsInput() ? 1 : result.weights()[choice];
                    add(sum, 0, weight, outputs, choice * widest, 0);
                }
            }
            return sum;
        }
        int column = 0;
        int from = 0;
        for (int gate = 0; gate < result.gates().size(); gate++) {
            int ofGate = spec.gates().get(gate).k();
            for (int rank = 0; rank < ofGate; rank++) {
                int place = place(routed, token, from + rank);
                int choice = token * k + place;
                if (place >= 0 && result.isExecuted(choice)) {
                    float weight = result.gates().get(gate).weights()[token * ofGate + rank];
                    add(sum, column, weight, outputs, choice * widest, gate);
                }
            }
            from += ofGate;
            column += widths[gate];
        }
        return sum;
    }

    private void add(float[] sum, int column, float weight, float[] outputs, int from, int gate) {
        float factor = weight * output.weightFactor();
        for (int i = 0; i < widths[gate]; i++) {
            sum[column + i] += factor * outputs[from + i];
        }
    }

    /** The executed choices of a token fail. */
    private void fail(int token, LayerResult result) {
        for (int choice = token * k; choice < token * k + k; choice++) {
            if (result.isExecuted(choice)) {
                result.outcomes()[choice] = Outcome.FAILED.code();
                if (rule.replacesRouterWeights()) {
                    result.weights()[choice] = 0;
                }
            }
        }
        for (GateResult gate :
                rule.replacesRouterWeights() ? result.gates() : List.<GateResult>of()) {
            int ofGate = gate.weights().length / (result.outcomes().length / k);
            Arrays.fill(gate.weights(), token * ofGate, (token + 1) * ofGate, 0);
        }
    }
}
