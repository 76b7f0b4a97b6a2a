package io.flinkmoe.stream;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.Survivors;
import io.flinkmoe.capacity.Weighing;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;

/**
 * The arithmetic of the combine, for T tokens of width d:
 *
 * <pre>
 *   y_t = residual_t + sum over ranks j = 1..k, in this order, of weight_tj · output_tj
 * </pre>
 *
 * over the choices that were executed, with the weight of the expert that ran each, as {@link
 * Weighing} says. The order is that of rank, never of arrival: floating-point sums depend on it.
 * Not for several threads; the scratch memory is reused.
 */
final class GateWeightedSum {

    private final int d;
    private final Weighing weighing;
    private float[] sums = {};
    private float[] outputs = {};
    private float[] shares = {};
    private int[] outputOfChoice = {};

    /**
     * @param d the width of a vector
     */
    GateWeightedSum(int d, Weighing weighing) {
        this.d = d;
        this.weighing = weighing;
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
        sums = atLeast(sums, rows.length * d);
        for (int i = 0; i < rows.length; i++) {
            Floats.get(tokens.vectors(), rows[i] * d, sums, i * d, d);
            for (int choice = rows[i] * k; choice < rows[i] * k + k; choice++) {
                if (choices.isExecuted(choice)) {
                    Floats.addScaled(
                            sums, i * d, weights[choice], outputs, outputOfChoice[choice] * d, d);
                }
            }
        }
        byte[] vectors = new byte[rows.length * d * Float.BYTES];
        Floats.put(sums, 0, vectors, 0, rows.length * d);
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
            weights[choice] =
                    weighing != Weighing.WINDOW
                            ? choices.weights()[choices.settledAt(choice)]
                            : executed[choice] ? shares[outputOfChoice[choice]] : 0;
        }
        if (weighing == Weighing.ROUTER) {
            return weights;
        }
        int k = choices.k();
        if (weighing == Weighing.SURVIVORS) {
            weights = Survivors.SHARE_OF_SURVIVORS.weights(weights, executed, k);
        } else {
            divideByPickers(weights, executed, k);
        }
        for (int choice = 0; choice < count; choice++) {
            choices.weights()[choices.settledAt(choice)] = weights[choice];
        }
        return weights;
    }

    private static void divideByPickers(float[] weights, boolean[] executed, int k) {
        for (int first = 0; first < weights.length; first += k) {
            int pickers = 0;
            for (int choice = first; choice < first + k; choice++) {
                pickers += executed[choice] ? 1 : 0;
            }
            for (int choice = first; choice < first + k; choice++) {
                weights[choice] /= Math.max(1, pickers);
            }
        }
    }

    /**
     * The choices with their answers; the outputs are gathered, and where that of each choice is.
     */
    private Choices answered(Choices asked, Iterable<ContributionBlock> contributions) {
        byte[] outcomes = asked.outcomes().clone();
        byte[] attempts = asked.attempts().clone();
        if (outputOfChoice.length < outcomes.length) {
            outputOfChoice = new int[outcomes.length];
        }
        int row = 0;
        for (ContributionBlock block : contributions) {
            int count = block.vectors().length / Float.BYTES;
            outputs = atLeast(outputs, row * d + count);
            Floats.get(block.vectors(), 0, outputs, row * d, count);
            if (weighing == Weighing.WINDOW) {
                shares = atLeast(shares, row + block.weights().length);
                System.arraycopy(block.weights(), 0, shares, row, block.weights().length);
            }
            for (int i = 0; i < block.choices().length; i++) {
                int choice = block.choices()[i];
                attempts[choice] = (byte) block.attempt();
                outcomes[choice] = block.outcomes()[i];
                if (outcomes[choice] == Outcome.EXECUTED.code()) {
                    outputOfChoice[choice] = row++;
                    if (block.attempt() > 0) {
                        outcomes[choice] = Outcome.REROUTED.code();
                    }
                }
            }
        }
        float[] weights = weighing == Weighing.ROUTER ? asked.weights() : asked.weights().clone();
        return new Choices(asked.k(), asked.experts(), weights, asked.scores(), outcomes, attempts);
    }

    private static float[] atLeast(float[] array, int length) {
        return array.length >= length
                ? array
                : Arrays.copyOf(array, Math.max(length, 2 * array.length));
    }
}
