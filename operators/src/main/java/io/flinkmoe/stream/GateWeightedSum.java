package io.flinkmoe.stream;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.Survivors;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;

/**
 * The arithmetic of the combine, for T tokens of width d:
 *
 * <pre>
 *   y_t = residual_t + sum over ranks j = 1..k, in this order, of weight_tj · output_tj
 * </pre>
 *
 * over the choices that were executed, with the weights of the router, or renormalised to {@link
 * Survivors#SHARE_OF_SURVIVORS}. The order is that of rank, never of arrival: floating-point sums
 * depend on it. Not for several threads; the scratch memory is reused.
 */
final class GateWeightedSum {

    private final int d;
    private final boolean renormalize;
    private float[] sums = {};
    private float[] outputs = {};
    private int[] outputOfChoice = {};

    /**
     * @param d the width of a vector
     * @param renormalize whether the executed choices of a token share all its weight
     */
    GateWeightedSum(int d, boolean renormalize) {
        this.d = d;
        this.renormalize = renormalize;
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
        byte[] outcomes = residual.choices().outcomes().clone();
        locate(contributions, outcomes);

        int k = residual.choices().k();
        float[] weights = weights(residual.choices(), outcomes);
        sums = atLeast(sums, rows.length * d);
        for (int i = 0; i < rows.length; i++) {
            Floats.get(tokens.vectors(), rows[i] * d, sums, i * d, d);
            for (int choice = rows[i] * k; choice < rows[i] * k + k; choice++) {
                if (outcomes[choice] == Outcome.EXECUTED.code()) {
                    Floats.addScaled(
                            sums, i * d, weights[choice], outputs, outputOfChoice[choice] * d, d);
                }
            }
        }
        byte[] vectors = new byte[rows.length * d * Float.BYTES];
        Floats.put(sums, 0, vectors, 0, rows.length * d);
        Choices[] layers = Arrays.copyOf(tokens.layers(), tokens.layers().length + 1);
        layers[layers.length - 1] = new Choices(k, residual.choices().experts(), weights, outcomes);
        return new TokenBlock(
                        tokens.lane(),
                        tokens.streams(),
                        tokens.positions(),
                        tokens.timestamps(),
                        tokens.vectors(),
                        layers)
                .select(rows, vectors);
    }

    private float[] weights(Choices choices, byte[] outcomes) {
        if (!renormalize) {
            return choices.weights();
        }
        boolean[] executed = new boolean[outcomes.length];
        for (int choice = 0; choice < executed.length; choice++) {
            executed[choice] = outcomes[choice] == Outcome.EXECUTED.code();
        }
        return Survivors.SHARE_OF_SURVIVORS.weights(choices.weights(), executed, choices.k());
    }

    /** Gathers all outputs, and where the output of each choice is. */
    private void locate(Iterable<ContributionBlock> contributions, byte[] outcomes) {
        if (outputOfChoice.length < outcomes.length) {
            outputOfChoice = new int[outcomes.length];
        }
        int row = 0;
        for (ContributionBlock block : contributions) {
            int count = block.vectors().length / Float.BYTES;
            outputs = atLeast(outputs, row * d + count);
            Floats.get(block.vectors(), 0, outputs, row * d, count);
            for (int i = 0; i < block.choices().length; i++) {
                int choice = block.choices()[i];
                outcomes[choice] = block.outcomes()[i];
                if (block.outcomes()[i] == Outcome.EXECUTED.code()) {
                    outputOfChoice[choice] = row++;
                }
            }
        }
    }

    private static float[] atLeast(float[] array, int length) {
        return array.length >= length
                ? array
                : Arrays.copyOf(array, Math.max(length, 2 * array.length));
    }
}
