// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

/** What a router chose for one token. */
final class Chosen {

    final int[] experts;
    final float[] weights;
    final boolean isInvalid;

    private Chosen(int[] experts, float[] weights, boolean isInvalid) {
        this.experts = experts;
        this.weights = weights;
        this.isInvalid = isInvalid;
    }

    static Chosen of(RoutingConfig config, float... logits) {
        return ranked(config, config.k(), logits);
    }

    static Chosen ranked(RoutingConfig config, int ranks, float... logits) {
        TopKRouter router = new TopKRouter(config, ranks);
        int[] experts = new int[ranks];
        float[] weights = new float[ranks];
        router.route(logits, 1, experts, weights);
        return new Chosen(experts, weights, router.isInvalid(logits, 0, experts));
    }
}
