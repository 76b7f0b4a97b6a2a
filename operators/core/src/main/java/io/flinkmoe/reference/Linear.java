// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * A linear map {@code y = W x + b}, summed in double.
 *
 * @param outputs the size of y
 * @param inputs the size of x
 * @param weight W, [outputs, inputs], row-major
 * @param bias b, [outputs]; null for none
 */
@Internal
public record Linear(int outputs, int inputs, float[] weight, float[] bias) {

    public Linear {
        if (outputs < 1 || inputs < 1 || weight.length != (long) outputs * inputs) {
            throw new IllegalArgumentException(
                    "weight has %d values; a linear map from %d to %d has one or more, %d"
                            .formatted(weight.length, inputs, outputs, (long) outputs * inputs));
        }
        if (bias != null && bias.length != outputs) {
            throw new IllegalArgumentException(
                    "bias has %d values; allowed: outputs, which is %d"
                            .formatted(bias.length, outputs));
        }
    }

    /**
     * Maps without bias that are stored one after the other, as experts and fused projections are.
     *
     * @param weights [count, outputs, inputs]
     */
    public static List<Linear> stacked(int count, int outputs, int inputs, float[] weights) {
        long size = (long) outputs * inputs;
        if (weights.length != count * size) {
            throw new IllegalArgumentException(
                    "weights has %d values; %d linear maps from %d to %d have %d"
                            .formatted(weights.length, count, inputs, outputs, count * size));
        }
        return IntStream.range(0, count)
                .mapToObj(
                        i ->
                                new Linear(
                                        outputs,
                                        inputs,
                                        Arrays.copyOfRange(
                                                weights, (int) (i * size), (int) ((i + 1) * size)),
                                        null))
                .toList();
    }

    /** y for one x of size {@link #inputs}. */
    double[] apply(double[] x) {
        double[] y = new double[outputs];
        for (int row = 0; row < outputs; row++) {
            double sum = 0;
            for (int i = 0; i < inputs; i++) {
                sum += weight[row * inputs + i] * x[i];
            }
            y[row] = bias == null ? sum : sum + bias[row];
        }
        return y;
    }
}
