// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.gates;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.RuleSpec;
import io.flinkmoe.model.Slice;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.MlpGraph;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.ScoringFunc;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A model of one or two general layers, drawn at random, and its weights. */
final class GeneralModel {

    /** What a router's last step is, after its linear layer. */
    enum Last {
        /** The logits of a softmax or sigmoid. */
        LINEAR,
        /** Minus infinity where x is not positive: masks the expert. */
        MASKING,
        /** relu(x): the weights themselves. */
        WEIGHTS
    }

    /** A linear layer without bias: [out, in]. */
    record Matrix(float[] weights, int in, int out) {
        double[] times(double[] x) {
            double[] y = new double[out];
            for (int row = 0; row < out; row++) {
                for (int column = 0; column < in; column++) {
                    y[row] += (double) weights[row * in + column] * x[column];
                }
            }
            return y;
        }
    }

    /** An expert: tanh of a linear layer over a slice. */
    record Expert(Slice input, Matrix matrix) {}

    /**
     * A gate over some experts.
     *
     * @param router null for a rule
     * @param rule the expert of each stream; another stream gets {@code experts[0]}
     */
    record Gate(
            Slice input,
            List<Integer> experts,
            Matrix router,
            Last last,
            RoutingConfig routing,
            Map<String, Integer> rule) {}

    /** A layer; norms are linear layers. */
    record Layer(
            int in,
            int out,
            List<Expert> experts,
            List<Gate> gates,
            Matrix norm,
            Matrix postNorm,
            Matrix shared,
            boolean residual) {}

    final List<Layer> layers = new ArrayList<>();
    private final Random random;

    GeneralModel(long seed) {
        random = new Random(seed);
        int width = 4 + random.nextInt(5);
        int count = 1 + random.nextInt(2);
        for (int i = 0; i < count; i++) {
            Layer layer = layer(width);
            layers.add(layer);
            width = layer.out;
        }
    }

    /** The number of values of a token. */
    int inputSize() {
        return layers.get(0).in;
    }

    private Layer layer(int in) {
        int gateCount = 1 + random.nextInt(4);
        boolean residual = random.nextInt(3) == 0;
        int n = 2 + random.nextInt(5);
        List<Expert> experts = new ArrayList<>();
        List<Gate> gates = new ArrayList<>();
        int[] widths = new int[gateCount];
        int left = in;
        for (int gate = 0; gate < gateCount; gate++) {
            boolean last = gate == gateCount - 1;
            widths[gate] =
                    !residual ? 2 + random.nextInt(3) : last ? left : left - (gateCount - 1 - gate);
            widths[gate] = residual && !last ? 1 : widths[gate];
            left -= widths[gate];
        }
        // A set of experts for each width that the gates need.
        int out = 0;
        for (int gate = 0; gate < gateCount; gate++) {
            int width = Math.max(1, widths[gate]);
            out += width;
            List<Integer> own = new ArrayList<>();
            for (int expert = 0; expert < experts.size(); expert++) {
                if (experts.get(expert).matrix.out == width && random.nextBoolean()) {
                    own.add(expert);
                }
            }
            while (own.size() < 2 || own.size() < n && random.nextInt(4) > 0) {
                Slice slice = slice(in);
                int read = slice == null ? in : slice.width();
                own.add(experts.size());
                experts.add(new Expert(slice, matrix(read, width)));
            }
            java.util.Collections.shuffle(own, random);
            gates.add(gate(in, own));
        }
        boolean keeps = residual && out == in;
        return new Layer(
                in,
                out,
                experts,
                gates,
                random.nextInt(3) == 0 ? matrix(in, in) : null,
                random.nextInt(3) == 0 ? matrix(out, out) : null,
                random.nextInt(3) == 0 ? matrix(in, out) : null,
                keeps);
    }

    private Gate gate(int in, List<Integer> experts) {
        if (random.nextInt(5) == 0) {
            Map<String, Integer> rule = new java.util.TreeMap<>();
            for (int stream = 0; stream < 3; stream++) {
                rule.put("s" + stream, experts.get(random.nextInt(experts.size())));
            }
            return new Gate(null, experts, null, null, null, rule);
        }
        int n = experts.size();
        Slice slice = slice(in);
        boolean dense = random.nextInt(2) == 0;
        Last last =
                dense
                        ? Last.values()[random.nextInt(3)]
                        : random.nextInt(4) == 0 ? Last.WEIGHTS : Last.LINEAR;
        ScoringFunc scoring =
                last == Last.WEIGHTS
                        ? ScoringFunc.IDENTITY
                        : last == Last.LINEAR && random.nextBoolean()
                                ? ScoringFunc.SIGMOID
                                : ScoringFunc.SOFTMAX;
        RoutingConfig routing =
                new RoutingConfig(
                        n,
                        dense ? null : 1 + random.nextInt(Math.min(n, 3)),
                        scoring,
                        null,
                        null,
                        random.nextBoolean(),
                        null,
                        random.nextInt(3) == 0 ? 1.5f : null,
                        null);
        Matrix router = matrix(slice == null ? in : slice.width(), n);
        return new Gate(slice, experts, router, last, routing, null);
    }

    private Slice slice(int in) {
        if (random.nextBoolean()) {
            return null;
        }
        int from = random.nextInt(in);
        return new Slice(from, from + 1 + random.nextInt(in - from));
    }

    private Matrix matrix(int in, int out) {
        float[] weights = new float[in * out];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) (random.nextGaussian() * 1.5 / Math.sqrt(in));
        }
        return new Matrix(weights, in, out);
    }

    Bundle write(Path folder) throws IOException {
        try (BundleWriter writer = new BundleWriter(folder)) {
            List<LayerSpec> specs = new ArrayList<>();
            for (int i = 0; i < layers.size(); i++) {
                specs.add(write(layers.get(i), "layers/" + i + "/", writer));
            }
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    "general",
                                    version,
                                    inputSize(),
                                    specs.get(specs.size() - 1).outputSize(),
                                    null,
                                    null,
                                    specs,
                                    checksums));
        }
    }

    private static LayerSpec write(Layer layer, String folder, BundleWriter writer)
            throws IOException {
        List<ExpertSpec> experts = new ArrayList<>();
        for (int i = 0; i < layer.experts.size(); i++) {
            Expert expert = layer.experts.get(i);
            ModelFile file = add(writer, folder + "experts/" + i, expert.matrix, Activation.TANH);
            experts.add(new ExpertSpec("e" + i, file, expert.input, expert.matrix.out));
        }
        List<GateSpec> gates = new ArrayList<>();
        for (int i = 0; i < layer.gates.size(); i++) {
            gates.add(write(layer.gates.get(i), "g" + i, folder, writer));
        }
        ModelFile shared = add(writer, folder + "shared", layer.shared, Activation.NONE);
        return new LayerSpec(
                layer.in,
                layer.out,
                add(writer, folder + "norm", layer.norm, Activation.NONE),
                add(writer, folder + "post", layer.postNorm, Activation.NONE),
                layer.residual ? ResidualKind.INPUT : ResidualKind.NONE,
                experts,
                shared == null ? List.of() : List.of(shared),
                gates,
                null);
    }

    private static GateSpec write(Gate gate, String name, String folder, BundleWriter writer)
            throws IOException {
        if (gate.rule != null) {
            Map<String, String> table = new java.util.TreeMap<>();
            gate.rule.forEach((stream, expert) -> table.put(stream, "e" + expert));
            return GateSpec.of(name, RuleSpec.ofStream(table, "e" + gate.experts.get(0)));
        }
        Matrix router = gate.router;
        OnnxGraph graph =
                new OnnxGraph("router").input("input", router.in).output("logits", router.out);
        switch (gate.last) {
            case LINEAR -> linear(graph, "logits", router);
            case MASKING ->
                    linear(graph, "x", router)
                            .weights("zero", new float[] {0})
                            .weights("mask", new float[] {Float.NEGATIVE_INFINITY})
                            .node("Greater", "kept", List.of("x", "zero"))
                            .node("Where", "logits", List.of("kept", "x", "mask"));
            case WEIGHTS -> linear(graph, "x", router).node("Relu", "logits", List.of("x"));
        }
        writer.add(folder + name + ".onnx", graph);
        return new GateSpec(
                name,
                ModelFile.of(folder + name + ".onnx"),
                null,
                null,
                gate.input,
                gate.experts,
                gate.routing,
                null);
    }

    private static OnnxGraph linear(OnnxGraph graph, String output, Matrix matrix) {
        return graph.linear(output, "input", matrix.weights, null, matrix.in, matrix.out);
    }

    private static ModelFile add(
            BundleWriter writer, String name, Matrix matrix, Activation activation)
            throws IOException {
        if (matrix == null) {
            return null;
        }
        writer.add(
                name + ".onnx",
                MlpGraph.of(
                        "linear",
                        List.of(
                                MlpGraph.Layer.of(
                                        matrix.weights, null, activation, matrix.in, matrix.out))));
        return ModelFile.of(name + ".onnx");
    }
}
