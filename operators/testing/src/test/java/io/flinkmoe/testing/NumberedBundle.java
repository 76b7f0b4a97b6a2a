// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.routing.RoutingConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Bundles whose answers are easy to predict: d = N, the router's logits are the token itself, and
 * expert e answers (e + 1) · x.
 */
public final class NumberedBundle {

    private NumberedBundle() {}

    /** A bundle of such layers, all alike. */
    public static Bundle write(Path directory, int numExperts, int topK, int numLayers) {
        return layers(numExperts, topK, numLayers).writeTo(directory).bundle();
    }

    /** A bundle of one layer with a routing of the test's own. */
    public static Bundle write(Path directory, RoutingConfig routing) {
        return layers(routing.numExperts(), routing.numExpertsPerTok(), 1)
                .routing(routing)
                .writeTo(directory)
                .bundle();
    }

    /** A bundle of one layer with experts of the test's own. */
    public static Bundle write(Path directory, int numExperts, int topK, ExpertModel experts) {
        return layers(numExperts, topK, 1).experts(experts).writeTo(directory).bundle();
    }

    /** A bundle whose encoder throws at a token whose first value is no category 0..N-1. */
    public static Bundle writeWithStrictEncoder(Path directory, int numExperts, int topK) {
        return layers(numExperts, topK, 1)
                .encoder(strict(numExperts, 0))
                .writeTo(directory)
                .bundle();
    }

    /** The same with categories 1..N: the encoder throws at zeros too. */
    public static Bundle writeWithStricterEncoder(Path directory, int numExperts, int topK) {
        return layers(numExperts, topK, 1)
                .encoder(strict(numExperts, -1 - numExperts)) // Gather counts from -N to N-1.
                .writeTo(directory)
                .bundle();
    }

    /** Experts that answer x, and throw if a row's first value is no category 0..d-1. */
    public static ExpertModel strictExperts() {
        return (expert, width) -> strict(width, 0);
    }

    private static TinyBundle.Builder layers(int numExperts, int topK, int numLayers) {
        return TinyBundle.builder()
                .numExperts(numExperts)
                .topK(topK)
                .layers(numLayers)
                .identityRouter()
                .experts(FixedExperts.numbered());
    }

    private static byte[] strict(int d, int shift) {
        float[] firstColumn = new float[d];
        firstColumn[0] = 1;
        return new OnnxGraph("strict")
                .weights("shift", new float[] {shift})
                .input("features", d)
                .output("hidden", d)
                .weights("table", new float[d], d, 1)
                .weights("first_column", firstColumn, d, 1)
                .node("MatMul", "category", List.of("features", "first_column"))
                .node("Add", "shifted", List.of("category", "shift"))
                .node("Cast", "id", List.of("shifted"), Map.of("to", 7))
                .node("Squeeze", "ids", List.of("id"))
                .node("Gather", "embedded", List.of("table", "ids"))
                .node("Add", "hidden", List.of("features", "embedded"))
                .toBytes();
    }
}
