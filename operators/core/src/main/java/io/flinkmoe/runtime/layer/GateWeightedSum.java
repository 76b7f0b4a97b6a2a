// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The arithmetic of the combine, for T tokens of width d:
 *
 * <pre>
 *   y_t = residual_t + sum over ranks j = 1..k, in this order, of weight_tj · output_tj
 * </pre>
 *
 * The sum is over the executed choices. Each weight belongs to the expert that executed the choice,
 * as {@link WeightRule} defines. The order is that of rank, not of arrival, because floating-point
 * sums depend on the order. If the sum is not finite, although the weights and outputs are, the
 * executed choices of the token are FAILED and y is the residual. Not thread-safe: the scratch
 * memory is reused.
 */
@Internal
public final class GateWeightedSum {

    private final int d;
    private final WeightRule weightRule;
    private final float[] sum;
    private final float[] output;

    /** By choice: the block with its output, and the index of the output in the block. */
    private ContributionBlock[] blocks = {};

    private int[] outputs = {};
    private int nonFiniteSums;

    /**
     * @param d the width of a vector
     */
    public GateWeightedSum(int d, WeightRule weightRule) {
        this.d = d;
        this.weightRule = weightRule;
        this.sum = new float[d];
        this.output = new float[d];
    }

    /**
     * Computes y of some tokens of a batch.
     *
     * @param contributions all results for the batch
     * @param rows the rows of the tokens, ascending; all their choices must have results
     * @return the tokens with their y and the outcomes of their choices
     */
    public TokenBlock of(
            RoutedBlock residual, Iterable<ContributionBlock> contributions, int[] rows) {
        TokenBlock tokens = residual.tokens();
        Choices choices = withOutcomes(residual.choices(), contributions);
        int k = choices.k();
        float[] weights = weights(choices, residual.scales());
        nonFiniteSums = 0;
        byte[] vectors = new byte[rows.length * d * Float.BYTES];
        for (int i = 0; i < rows.length; i++) {
            Floats.get(tokens.vectors(), rows[i] * d, sum, 0, d);
            for (int choice = rows[i] * k; choice < rows[i] * k + k; choice++) {
                if (choices.isExecuted(choice)) {
                    blocks[choice].vectors().get(outputs[choice], output);
                    Floats.addScaled(sum, weights[choice], output, d);
                }
            }
            if (!Floats.allFinite(sum, 0, d)) {
                fail(choices, rows[i]);
                Floats.get(tokens.vectors(), rows[i] * d, sum, 0, d);
            }
            Floats.put(sum, 0, vectors, i * d, d);
        }
        Arrays.fill(blocks, null); // Do not keep the blocks in memory.
        Choices[] layers = Arrays.copyOf(tokens.layers(), tokens.layers().length + 1);
        layers[layers.length - 1] = choices;
        return tokens.withLayers(layers).select(rows, vectors);
    }

    /** The number of tokens of the last call whose sum is not finite. */
    public int nonFiniteSums() {
        return nonFiniteSums;
    }

    private void fail(Choices choices, int row) {
        nonFiniteSums++;
        for (int choice = row * choices.k(); choice < (row + 1) * choices.k(); choice++) {
            if (choices.isExecuted(choice)) {
                choices.outcomes()[choice] = Outcome.FAILED.code();
                if (weightRule.replacesRouterWeights()) {
                    choices.weights()[choices.finalAt(choice)] = 0; // as of every failed choice
                }
            }
        }
    }

    /**
     * Returns the weights of all choices, [T, k]. Weights that differ from the router's are also
     * written to {@code choices}.
     *
     * @param scales [T], or empty
     */
    private float[] weights(Choices choices, float[] scales) {
        int count = choices.outcomes().length;
        float[] weights = new float[count];
        boolean[] executed = new boolean[count];
        for (int choice = 0; choice < count; choice++) {
            executed[choice] = choices.isExecuted(choice);
            weights[choice] = choices.weights()[choices.finalAt(choice)];
        }
        if (weightRule.replacesRouterWeights()) {
            weightRule.apply(weights, executed, choices.k(), scales);
            for (int choice = 0; choice < count; choice++) {
                choices.weights()[choices.finalAt(choice)] = weights[choice];
            }
        }
        return weights;
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
        float[] weights =
                weightRule.replacesRouterWeights() ? routed.weights().clone() : routed.weights();
        return new Choices(
                routed.k(),
                routed.experts(),
                weights,
                routed.scores(),
                outcomes,
                routed.attempts());
    }
}
