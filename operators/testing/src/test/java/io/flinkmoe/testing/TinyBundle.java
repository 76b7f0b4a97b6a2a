package io.flinkmoe.testing;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.OnnxGraph;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.RouterGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Bundles whose answers can be told by looking: d = N, the router's logits are the token itself,
 * and expert e answers with (e + 1) · x.
 */
public final class TinyBundle {

    private TinyBundle() {}

    /** A bundle of such layers, all alike. */
    public static Bundle write(Path directory, int numExperts, int topK, int numLayers) {
        return write(directory, numExperts, topK, numLayers, e -> scaling(numExperts, e + 1f));
    }

    /** A bundle whose encoder throws at a token whose first value is no category 0..N-1. */
    public static Bundle writeWithStrictEncoder(Path directory, int numExperts, int topK) {
        return write(
                directory,
                RoutingConfig.mixtral(numExperts, topK),
                1,
                strict(numExperts),
                e -> scaling(numExperts, e + 1f));
    }

    /** The same with categories 1..N: the encoder throws at zeros too. */
    public static Bundle writeWithStricterEncoder(Path directory, int numExperts, int topK) {
        return write(
                directory,
                RoutingConfig.mixtral(numExperts, topK),
                1,
                strict(numExperts, -1 - numExperts), // Gather counts from -N to N-1.
                e -> scaling(numExperts, e + 1f));
    }

    /** A model that answers with x, and throws if a row's first value is no category 0..d-1. */
    public static byte[] strict(int d) {
        return strict(d, 0);
    }

    private static byte[] strict(int d, int shift) {
        return new OnnxGraph("strict")
                .weights("shift", new float[] {shift})
                .input("features", d)
                .output("hidden", d)
                .weights("table", new float[d], d, 1)
                .weights("first_column", firstColumn(d), d, 1)
                .node("MatMul", "category", List.of("features", "first_column"))
                .node("Add", "shifted", List.of("category", "shift"))
                .node("Cast", "id", List.of("shifted"), Map.of("to", 7))
                .node("Squeeze", "ids", List.of("id"))
                .node("Gather", "embedded", List.of("table", "ids"))
                .node("Add", "hidden", List.of("features", "embedded"))
                .toBytes();
    }

    /** A bundle of one layer with a routing of the test's own making. */
    public static Bundle write(Path directory, RoutingConfig routing) {
        return write(directory, routing, 1, null, e -> scaling(routing.numExperts(), e + 1f));
    }

    private static float[] firstColumn(int n) {
        float[] column = new float[n];
        column[0] = 1;
        return column;
    }

    /** A bundle with experts of the test's own making. */
    public static Bundle write(
            Path directory, int numExperts, int topK, int numLayers, Experts experts) {
        return write(directory, RoutingConfig.mixtral(numExperts, topK), numLayers, null, experts);
    }

    private static Bundle write(
            Path directory, RoutingConfig routing, int numLayers, byte[] encoder, Experts experts) {
        int numExperts = routing.numExperts();
        try (BundleWriter writer = new BundleWriter(directory)) {
            float[] identity = new float[numExperts * numExperts];
            for (int e = 0; e < numExperts; e++) {
                identity[e * numExperts + e] = 1;
            }
            if (encoder != null) {
                writer.add("encoder.onnx", encoder);
            }
            List<LayerSpec> layers = new ArrayList<>();
            for (int layer = 0; layer < numLayers; layer++) {
                String router = "layers/" + layer + "/router.onnx";
                writer.add(router, RouterGraphs.linear(identity, numExperts, numExperts));
                List<String> files = new ArrayList<>();
                for (int e = 0; e < numExperts; e++) {
                    files.add("layers/" + layer + "/experts/" + e + ".onnx");
                    writer.add(files.get(e), experts.onnx(e));
                }
                layers.add(
                        new LayerSpec(routing, null, router, ResidualKind.INPUT, files, List.of()));
            }
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    "tiny",
                                    version,
                                    numExperts,
                                    numExperts,
                                    numExperts,
                                    encoder == null ? null : "encoder.onnx",
                                    null,
                                    layers,
                                    checksums));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** An expert that answers with factor · x. */
    public static byte[] scaling(int d, float factor) {
        return new OnnxGraph("scaling")
                .input("hidden", d)
                .output("output", d)
                .weights("factor", new float[] {factor})
                .node("Mul", "output", List.of("hidden", "factor"))
                .toBytes();
    }

    /** An expert that answers with the number of rows of the call. */
    public static byte[] counting(int d) {
        return new OnnxGraph("counting")
                .input("hidden", d)
                .output("output", d)
                .weights("zero", new float[1])
                .weights("one", new float[] {1})
                .integers("rows", new long[1], 1)
                .node("Mul", "zeros", List.of("hidden", "zero"))
                .node("Add", "ones", List.of("zeros", "one"))
                .node("ReduceSum", "count", List.of("ones", "rows"))
                .node("Add", "output", List.of("zeros", "count"))
                .toBytes();
    }

    /** An expert that opens, and throws on any call. */
    public static byte[] failing(int d) {
        return new OnnxGraph("failing")
                .input("hidden", d)
                .output("output", d)
                .weights("one_row", new float[2 * d], 2, d)
                .node("Concat", "rows", List.of("hidden", "one_row"), Map.of("axis", 0))
                .node("Mul", "output", List.of("rows", "hidden"))
                .toBytes();
    }

    /** The ONNX bytes of each expert. */
    @FunctionalInterface
    public interface Experts {
        byte[] onnx(int expert);
    }
}
