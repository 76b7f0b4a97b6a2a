// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.graph.Activation;
import java.util.Arrays;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;

/** The expected outputs of the graphs, as plain loops in double. */
final class Loops {

    private Loops() {}

    /** x wᵀ + b with w [out, in] and b [out] or null. */
    static double[] linear(double[] x, float[] w, float[] b, int in, int out) {
        int rows = x.length / in;
        double[] y = new double[rows * out];
        for (int t = 0; t < rows; t++) {
            for (int o = 0; o < out; o++) {
                y[t * out + o] = b == null ? 0 : b[o];
                for (int i = 0; i < in; i++) {
                    y[t * out + o] += x[t * in + i] * w[o * in + i];
                }
            }
        }
        return y;
    }

    static double[] map(double[] x, DoubleUnaryOperator f) {
        return Arrays.stream(x).map(f).toArray();
    }

    /** The product element by element; b may have one value per row of a. */
    static double[] times(double[] a, double[] b) {
        double[] product = new double[a.length];
        Arrays.setAll(product, i -> a[i] * b[i / (a.length / b.length)]);
        return product;
    }

    static double activation(Activation act, double x) {
        return switch (act) {
            case RELU2 -> Math.max(x, 0) * Math.max(x, 0);
            case RELU -> Math.max(x, 0);
            case SILU -> x * sigmoid(x);
            case GELU_TANH ->
                    x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case GELU_ERF -> x / 2 * (1 + erf(x / Math.sqrt(2)));
            case TANH -> Math.tanh(x);
            case SIGMOID -> 1 / (1 + Math.exp(-x));
            case LEAKY_RELU -> Math.max(x, 0.01 * x);
            case NONE -> x;
        };
    }

    static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    /** The error function: 2/√π · the integral of exp(-t²) from 0 to x, by Simpson's rule. */
    static double erf(double x) {
        int steps = 2000;
        double width = x / steps;
        double sum = 1 + Math.exp(-x * x);
        for (int i = 1; i < steps; i++) {
            double t = i * width;
            sum += (i % 2 == 0 ? 2 : 4) * Math.exp(-t * t);
        }
        return 2 / Math.sqrt(Math.PI) * sum * width / 3;
    }

    /** LayerNorm, or the root mean square norm if centre is false. */
    static double[] norm(
            double[] x, boolean centre, float[] weight, float[] bias, double eps, int d) {
        double[] y = new double[x.length];
        for (int from = 0; from < x.length; from += d) {
            double[] row = Arrays.copyOfRange(x, from, from + d);
            double mean = centre ? Arrays.stream(row).average().orElseThrow() : 0;
            double variance =
                    Arrays.stream(row).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
            for (int i = 0; i < d; i++) {
                y[from + i] = (row[i] - mean) / Math.sqrt(variance + eps) * weight[i];
                y[from + i] += bias == null ? 0 : bias[i];
            }
        }
        return y;
    }

    static double[] widen(float[] values) {
        double[] wide = new double[values.length];
        Arrays.setAll(wide, i -> values[i]);
        return wide;
    }

    static float[] gaussian(Random random, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** Within 1e-6 times the largest expected value. */
    static void assertClose(float[] found, double[] expected) {
        assertClose(
                found, expected, 1e-6 * Arrays.stream(expected).map(Math::abs).max().orElseThrow());
    }

    static void assertClose(float[] found, double[] expected, double tolerance) {
        assertThat(found).hasSameSizeAs(expected);
        for (int i = 0; i < expected.length; i++) {
            assertThat(Math.abs(found[i] - expected[i]))
                    .as("value %d: %s, expected %s", i, found[i], expected[i])
                    .isLessThan(tolerance);
        }
    }
}
