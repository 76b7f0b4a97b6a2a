package io.flinkmoe.runtime.combine;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ResidualBlock;
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
 * over the choices that were executed, with the weight of the expert that ran each, as {@link
 * WeightRule} says. The order is that of rank, never of arrival: floating-point sums depend on it.
 * Not for several threads; the scratch memory is reused.
 */
@Internal
final class GateWeightedSum {

    private final int d;
    private final WeightRule weightRule;
    private final float[] sum;
    private final float[] output;

    /** By choice: the block that answers it with an output, and which of the block's that is. */
    private ContributionBlock[] blocks = {};

    private int[] outputs = {};

    /**
     * @param d the width of a vector
     */
    GateWeightedSum(int d, WeightRule weightRule) {
        this.d = d;
        this.weightRule = weightRule;
        this.sum = new float[d];
        this.output = new float[d];
    }

    /**
     * Sums up some tokens of a batch.
     *
     * @param contributions every answer there is to the batch
     * @param rows the tokens wanted, ascending, all of whose choices are answered
     * @return the tokens with y and with what became of their choices
     */
    TokenBlock of(ResidualBlock residual, Iterable<ContributionBlock> contributions, int[] rows) {
        TokenBlock tokens = residual.tokens();
        Choices choices = answered(residual.choices(), contributions);
        int k = choices.k();
        float[] weights = weights(choices);
        byte[] vectors = new byte[rows.length * d * Float.BYTES];
        for (int i = 0; i < rows.length; i++) {
            Floats.get(tokens.vectors(), rows[i] * d, sum, 0, d);
            for (int choice = rows[i] * k; choice < rows[i] * k + k; choice++) {
                if (choices.isExecuted(choice)) {
                    blocks[choice].vectors().get(outputs[choice], output);
                    Floats.addScaled(sum, weights[choice], output, d);
                }
            }
            Floats.put(sum, 0, vectors, i * d, d);
        }
        Arrays.fill(blocks, null); // The blocks' memory is not ours to keep.
        Choices[] layers = Arrays.copyOf(tokens.layers(), tokens.layers().length + 1);
        layers[layers.length - 1] = choices;
        return tokens.withLayers(layers).select(rows, vectors);
    }

    /** The weights of all choices, [T, k]; what differs from the router's is written to them. */
    private float[] weights(Choices choices) {
        int count = choices.outcomes().length;
        float[] weights = new float[count];
        boolean[] executed = new boolean[count];
        for (int choice = 0; choice < count; choice++) {
            executed[choice] = choices.isExecuted(choice);
            boolean fromExpert = executed[choice] && weightRule.usesWindowShares();
            weights[choice] =
                    fromExpert
                            ? blocks[choice].weights()[outputs[choice]]
                            : choices.weights()[choices.settledAt(choice)];
        }
        if (weightRule.replacesRouterWeights()) {
            weightRule.apply(weights, executed, choices.k());
            for (int choice = 0; choice < count; choice++) {
                choices.weights()[choices.settledAt(choice)] = weights[choice];
            }
        }
        return weights;
    }

    /** The choices with their answers; where the output of each is, is noted. */
    private Choices answered(Choices asked, Iterable<ContributionBlock> contributions) {
        byte[] outcomes = asked.outcomes().clone();
        byte[] attempts = asked.attempts().clone();
        if (outputs.length < outcomes.length) {
            outputs = new int[outcomes.length];
            blocks = new ContributionBlock[outcomes.length];
        }
        for (ContributionBlock block : contributions) {
            int outputsSoFar = 0;
            for (int i = 0; i < block.choices().length; i++) {
                int choice = block.choices()[i];
                attempts[choice] = (byte) block.attempt();
                outcomes[choice] = block.outcomes()[i];
                if (outcomes[choice] == Outcome.EXECUTED.code()) {
                    blocks[choice] = block;
                    outputs[choice] = outputsSoFar++;
                    if (block.attempt() > 0) {
                        outcomes[choice] = Outcome.REROUTED.code();
                    }
                }
            }
        }
        float[] weights =
                weightRule.replacesRouterWeights() ? asked.weights().clone() : asked.weights();
        return new Choices(asked.k(), asked.experts(), weights, asked.scores(), outcomes, attempts);
    }
}
