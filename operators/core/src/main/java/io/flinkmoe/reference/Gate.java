// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import org.apache.flink.annotation.Internal;

/**
 * How a router turns a token x [d] into logits z [N], one per expert; computed in double. The three
 * forms are ModuleFormer's gate types linear, mlp and gmm (moduleformer/utils/moe.py); JetMoE has
 * the first.
 */
@Internal
public sealed interface Gate {

    /** d. */
    int width();

    /** N. */
    int numExperts();

    /** z of one token. */
    double[] logits(double[] x);

    /**
     * {@code z = W x}.
     *
     * @param router [N, d]
     */
    record OneLayer(Linear router) implements Gate {
        @Override
        public int width() {
            return router.inputs();
        }

        @Override
        public int numExperts() {
            return router.outputs();
        }

        @Override
        public double[] logits(double[] x) {
            return router.apply(x);
        }
    }

    /**
     * {@code z = W2 gelu(W1 x + b1)} with {@code gelu(a) = a/2 (1 + erf(a/sqrt(2)))}.
     *
     * @param first W1 and b1, [h, d]
     * @param second W2, [N, h]
     */
    record TwoLayer(Linear first, Linear second) implements Gate {
        public TwoLayer {
            requireSame(first, "first", second, "second");
        }

        @Override
        public int width() {
            return first.inputs();
        }

        @Override
        public int numExperts() {
            return second.outputs();
        }

        @Override
        public double[] logits(double[] x) {
            double[] hidden = first.apply(x);
            for (int i = 0; i < hidden.length; i++) {
                hidden[i] *= (1 + Erf.erf(hidden[i] / StrictMath.sqrt(2))) / 2;
            }
            return second.apply(hidden);
        }
    }

    /**
     * {@code z_e = exp(t) cos(P x, c_e)}, the cosine of the angle between projection and centroid;
     * norms count as 1e-12 or more, as in PyTorch's normalize.
     *
     * @param projection P, [h, d]
     * @param centroids the c_e, [N, h], of any length
     * @param logTemperature t
     */
    record Cosine(Linear projection, Linear centroids, double logTemperature) implements Gate {
        public Cosine {
            requireSame(projection, "projection", centroids, "centroids");
        }

        @Override
        public int width() {
            return projection.inputs();
        }

        @Override
        public int numExperts() {
            return centroids.outputs();
        }

        @Override
        public double[] logits(double[] x) {
            double[] projected = projection.apply(x);
            double[] logits = centroids.apply(projected);
            double squares = 0;
            for (double value : projected) {
                squares += value * value;
            }
            double scale = StrictMath.exp(logTemperature) / norm(squares);
            for (int expert = 0; expert < logits.length; expert++) {
                squares = 0;
                for (int i = 0; i < projected.length; i++) {
                    double value = centroids.weight()[expert * projected.length + i];
                    squares += value * value;
                }
                logits[expert] *= scale / norm(squares);
            }
            return logits;
        }

        private static double norm(double squares) {
            return Math.max(StrictMath.sqrt(squares), 1e-12);
        }
    }

    private static void requireSame(Linear inner, String innerName, Linear outer, String name) {
        if (inner.outputs() != outer.inputs()) {
            throw new IllegalArgumentException(
                    "%s has %d inputs; allowed: the outputs of %s, which are %d"
                            .formatted(name, outer.inputs(), innerName, inner.outputs()));
        }
    }
}
