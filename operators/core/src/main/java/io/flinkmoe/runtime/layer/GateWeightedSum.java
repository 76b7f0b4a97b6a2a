// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.layer.LayerOutput;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The arithmetic of the combine, for T tokens:
 *
 * <pre>
 *   sum_tg = sum over ranks j = 1..k of gate g, in this order, of weight_tgj · output_tgj
 *   y_t    = what {@link LayerOutput} makes of concat over g of sum_tg
 * </pre>
 *
 * The sums are over the executed choices. Each weight belongs to the expert that executed the
 * choice, as {@link WeightRule} defines. The order is that of rank, not of arrival, because
 * floating-point sums depend on the order. If y is not finite, although the weights and outputs
 * are, the executed choices of the token are FAILED and y is what it would be without them. Not
 * thread-safe: the scratch memory is reused.
 */
@Internal
public final class GateWeightedSum {

    private final int width; // of y
    private final int carriedSize;
    private final GateColumns gates;
    private final WeightRule weightRule;
    private final LayerOutput output;
    private final float factor; // of each weight
    private final boolean weighsInput;
    private final GateOutputs outputsOfToken;
    private final float[] carried; // of one token
    private final float[] sum; // of one token
    private final float[] row; // y of one token

    /** By choice: the block with its output, and the index of the output in the block. */
    private ContributionBlock[] blocks = {};

    private int[] outputs = {};
    private int nonFiniteSums;

    /**
     * @param output what follows the sum
     */
    public GateWeightedSum(LayerSpec layer, WeightRule weightRule, LayerOutput output) {
        this.width = layer.outputSize();
        this.carriedSize = layer.carriedSize();
        this.gates = new GateColumns(layer);
        this.weightRule = weightRule;
        this.output = output;
        this.factor = output.weightFactor();
        this.weighsInput = layer.options().weighsInput();
        this.outputsOfToken = new GateOutputs(layer.choices(), gates.widest());
        this.carried = new float[carriedSize];
        this.sum = new float[output.sumWidth()];
        this.row = output.isDirect() ? sum : new float[width];
    }

    /**
     * Computes y of some tokens of a batch.
     *
     * @param routed the tokens with what they carry
     * @param contributions all results for the batch
     * @param rows the rows of the tokens, ascending; all their choices must have results
     * @return the tokens with their y and the outcomes of their choices
     * @throws OrtException if a model that follows the sum throws
     */
    public TokenBlock of(RoutedBlock routed, Iterable<ContributionBlock> contributions, int[] rows)
            throws OrtException {
        TokenBlock tokens = routed.tokens();
        Choices choices = weigh(withOutcomes(routed.choices(), contributions), routed.scales());
        nonFiniteSums = 0;
        byte[] vectors = new byte[rows.length * width * Float.BYTES];
        if (output.isDirect()) {
            for (int i = 0; i < rows.length; i++) {
                sum(tokens, choices, rows[i]);
                write(choices, rows[i], vectors, i);
            }
        } else {
            applyOutput(tokens, choices, rows, vectors);
        }
        Arrays.fill(blocks, null); // Do not keep the blocks in memory.
        Choices[] layers = Arrays.copyOf(tokens.layers(), tokens.layers().length + 1);
        layers[layers.length - 1] = choices;
        return tokens.withLayers(layers).select(rows, vectors);
    }

    /** The number of tokens of the last call whose y is not finite. */
    public int nonFiniteSums() {
        return nonFiniteSums;
    }

    private void applyOutput(TokenBlock tokens, Choices choices, int[] rows, byte[] vectors)
            throws OrtException {
        float[] sums = new float[rows.length * sum.length];
        float[] carriedOfRows = new float[rows.length * carriedSize];
        boolean[] executed = new boolean[rows.length];
        float[] outputs = new float[rows.length * width];
        for (int i = 0; i < rows.length; i++) {
            sum(tokens, choices, rows[i]);
            System.arraycopy(sum, 0, sums, i * sum.length, sum.length);
            System.arraycopy(carried, 0, carriedOfRows, i * carriedSize, carriedSize);
            executed[i] = choices.isAnyExecuted(rows[i]);
        }
        output.apply(carriedOfRows, executed, sums, outputs);
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(outputs, i * width, row, 0, width);
            System.arraycopy(carriedOfRows, i * carriedSize, carried, 0, carriedSize);
            write(choices, rows[i], vectors, i);
        }
    }

    /** Computes {@link #sum} of one token, and leaves what it carries in {@link #carried}. */
    private void sum(TokenBlock tokens, Choices choices, int token) {
        Floats.get(tokens.vectors(), token * carriedSize, carried, 0, carriedSize);
        output.startSum(carried, sum);
        add(choices, token);
    }

    /** Writes the output of one token, which is {@link #row} if that is finite. */
    private void write(Choices choices, int token, byte[] vectors, int at) {
        if (!Floats.allFinite(row, 0, width)) {
            fail(choices, token);
            output.startOutput(carried, row);
        }
        Floats.put(row, 0, vectors, at * width, width);
    }

    /** Adds the sums of the gates for one token to {@link #sum}. */
    private void add(Choices choices, int token) {
        if (choices.gates().isOne()) {
            float[] ofExpert = outputsOfToken.buffer();
            int k = choices.k();
            for (int choice = token * k; choice < token * k + k; choice++) {
                if (choices.isExecuted(choice)) {
                    blocks[choice].vectors().get(outputs[choice], ofExpert, sum.length);
                    float weight = weighsInput ? 1 : choices.weights()[choices.finalAt(choice)];
                    Floats.addScaled(sum, weight * factor, ofExpert, sum.length);
                }
            }
            return;
        }
        short[] places = choices.gates().places();
        float[] weights = choices.gates().weights();
        outputsOfToken.clear();
        int rank = token * gates.ranks();
        for (int gate = 0; gate < gates.count(); gate++) {
            int columns = gates.widthOf(gate);
            float[] ofGate = outputsOfToken.startSum(sum, gates.columnOf(gate), columns);
            int end = rank + gates.ranksOf(gate);
            for (; rank < end; rank++) {
                int place = places[rank];
                int choice = token * choices.k() + place;
                if (place >= 0 && choices.isExecuted(choice)) {
                    float[] ofExpert =
                            outputsOfToken.of(
                                    place, blocks[choice].vectors(), outputs[choice], columns);
                    Floats.addScaled(ofGate, weights[rank] * factor, ofExpert, columns);
                }
            }
            System.arraycopy(ofGate, 0, sum, gates.columnOf(gate), columns);
        }
    }

    private void fail(Choices choices, int row) {
        nonFiniteSums++;
        for (int choice = row * choices.k(); choice < (row + 1) * choices.k(); choice++) {
            if (choices.isExecuted(choice)) {
                choices.outcomes()[choice] = Outcome.FAILED.code();
                if (weightRule.replacesRouterWeights() && choices.gates().isOne()) {
                    choices.weights()[choices.finalAt(choice)] = 0; // as of every failed choice
                }
            }
        }
        if (weightRule.replacesRouterWeights() && !choices.gates().isOne()) {
            int ranks = gates.ranks();
            Arrays.fill(choices.gates().weights(), row * ranks, (row + 1) * ranks, 0);
        }
    }

    /** Returns the choices with the weights of the rule. */
    private Choices weigh(Choices choices, float[] scales) {
        if (!weightRule.replacesRouterWeights()) {
            return choices;
        }
        int count = choices.outcomes().length;
        boolean[] executed = new boolean[count];
        for (int choice = 0; choice < count; choice++) {
            executed[choice] = choices.isExecuted(choice);
        }
        if (!choices.gates().isOne()) {
            return choices.withGateWeights(
                    gates.weigh(choices.gates(), choices.k(), executed, weightRule, scales));
        }
        float[] weights = new float[count];
        for (int choice = 0; choice < count; choice++) {
            weights[choice] = choices.weights()[choices.finalAt(choice)];
        }
        weightRule.apply(weights, executed, choices.k(), scales);
        float[] all = choices.weights().clone();
        for (int choice = 0; choice < count; choice++) {
            all[choices.finalAt(choice)] = weights[choice];
        }
        return choices.decided(all, choices.outcomes(), choices.attempts());
    }

    /** Returns the choices with their outcomes, and records where the output of each is. */
    private Choices withOutcomes(Choices routed, Iterable<ContributionBlock> contributions) {
        byte[] outcomes = routed.outcomes().clone();
        if (outputs.length < outcomes.length) {
            outputs = new int[outcomes.length];
            blocks = new ContributionBlock[outcomes.length];
        }
        for (ContributionBlock block : contributions) {
            int outputsSoFar = 0;
            for (int i = 0; i < block.choices().length; i++) {
                int choice = block.choices()[i];
                outcomes[choice] = block.outcomes()[i];
                if (outcomes[choice] == Outcome.EXECUTED.code()) {
                    blocks[choice] = block;
                    outputs[choice] = outputsSoFar++;
                    if (routed.attempts()[choice] > 0) {
                        outcomes[choice] = Outcome.REROUTED.code();
                    }
                }
            }
        }
        return routed.decided(routed.weights(), outcomes, routed.attempts());
    }
}
