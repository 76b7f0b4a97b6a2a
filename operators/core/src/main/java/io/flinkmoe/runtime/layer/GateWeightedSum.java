// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.model.LayerSpec;
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
 *   y_t    = residual_t + post_norm(concat over g of sum_tg + shared_t)
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
    private final PostNorm postNorm;
    private final float[] output;
    private float[] sums = {};

    /** By choice: the block with its output, and the index of the output in the block. */
    private ContributionBlock[] blocks = {};

    private int[] outputs = {};
    private int nonFiniteSums;

    /**
     * @param postNorm the layer's post_norm, or {@link PostNorm#NONE}
     */
    public GateWeightedSum(LayerSpec layer, WeightRule weightRule, PostNorm postNorm) {
        this.width = layer.outputSize();
        this.carriedSize = layer.carriedSize();
        this.gates = new GateColumns(layer);
        this.weightRule = weightRule;
        this.postNorm = postNorm;
        this.output = new float[gates.widest()];
    }

    /**
     * Computes y of some tokens of a batch.
     *
     * @param routed the tokens with what they carry
     * @param contributions all results for the batch
     * @param rows the rows of the tokens, ascending; all their choices must have results
     * @return the tokens with their y and the outcomes of their choices
     * @throws OrtException if the post_norm throws
     */
    public TokenBlock of(RoutedBlock routed, Iterable<ContributionBlock> contributions, int[] rows)
            throws OrtException {
        TokenBlock tokens = routed.tokens();
        Choices choices = weigh(withOutcomes(routed.choices(), contributions), routed.scales());
        nonFiniteSums = 0;
        if (sums.length < rows.length * width) {
            sums = new float[rows.length * width];
        }
        if (carriedSize == 0) {
            Arrays.fill(sums, 0, rows.length * width, 0);
        }
        for (int i = 0; i < rows.length; i++) {
            int at = i * width;
            postNorm.startSum(tokens.vectors(), rows[i] * carriedSize, carriedSize, sums, at);
            add(choices, rows[i], at);
        }
        postNorm.apply(tokens.vectors(), rows, choices, sums);
        byte[] vectors = new byte[rows.length * width * Float.BYTES];
        for (int i = 0; i < rows.length; i++) {
            int at = i * width;
            if (!Floats.allFinite(sums, at, width)) {
                fail(choices, rows[i]);
                Arrays.fill(sums, at, at + width, 0);
                postNorm.startOutput(
                        tokens.vectors(), rows[i] * carriedSize, carriedSize, sums, at);
            }
        }
        Floats.put(sums, 0, vectors, 0, rows.length * width);
        Arrays.fill(blocks, null); // Do not keep the blocks in memory.
        Choices[] layers = Arrays.copyOf(tokens.layers(), tokens.layers().length + 1);
        layers[layers.length - 1] = choices;
        return tokens.withLayers(layers).select(rows, vectors);
    }

    /** The number of tokens of the last call whose y is not finite. */
    public int nonFiniteSums() {
        return nonFiniteSums;
    }

    /** Adds the sums of the gates for one token. */
    private void add(Choices choices, int row, int at) {
        if (choices.gates().isOne()) {
            int k = choices.k();
            for (int choice = row * k; choice < row * k + k; choice++) {
                if (choices.isExecuted(choice)) {
                    add(choice, choices.weights()[choices.finalAt(choice)], at, width);
                }
            }
            return;
        }
        short[] places = choices.gates().places();
        float[] weights = choices.gates().weights();
        int rank = row * gates.ranks();
        for (int gate = 0; gate < gates.count(); gate++) {
            int end = rank + gates.ranksOf(gate);
            for (; rank < end; rank++) {
                int choice = row * choices.k() + places[rank];
                if (places[rank] >= 0 && choices.isExecuted(choice)) {
                    add(choice, weights[rank], at + gates.columnOf(gate), gates.widthOf(gate));
                }
            }
        }
    }

    private void add(int choice, float weight, int at, int columns) {
        blocks[choice].vectors().get(outputs[choice], output, columns);
        Floats.addScaled(sums, at, weight, output, columns);
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
