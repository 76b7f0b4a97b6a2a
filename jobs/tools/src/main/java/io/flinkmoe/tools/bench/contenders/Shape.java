// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.apache.flink.annotation.Internal;

/**
 * A model like Mixtral: a linear router, SwiGLU experts, combine weights with sum 1, and the input
 * as residual. Its parameters are random, but the same in every run. {@link #withGates} gives other
 * gates and no residual.
 *
 * @param d the width of a vector
 * @param h the inner width of an expert; 0 for experts that return their input
 * @param numExperts N
 * @param k the experts per token
 * @param layers the number of layers, which are equal
 * @param encoder what turns the inputs of tokens into vectors
 * @param gates the gates of a layer; empty for one like Mixtral's and the input as residual
 */
@Internal
public record Shape(
        String name,
        int d,
        int h,
        int numExperts,
        int k,
        int layers,
        ShapeEncoder encoder,
        List<RoutingConfig> gates) {

    /** The shapes that are always measured. */
    public static final List<Shape> ALL =
            List.of(
                    new Shape("flights", 64, 128, 8, 2),
                    new Shape("medium", 512, 2048, 8, 2),
                    new Shape("fine-grained", 512, 256, 64, 8),
                    new Shape("large", 1024, 3584, 8, 2));

    private static final int ROUTER_SEED = -1;
    private static final int ENCODER_SEED = Integer.MIN_VALUE;

    public Shape(String name, int d, int h, int numExperts, int k) {
        this(name, d, h, numExperts, k, 1);
    }

    public Shape(String name, int d, int h, int numExperts, int k, int layers) {
        this(name, d, h, numExperts, k, layers, ShapeEncoder.NONE, List.of());
    }

    /**
     * One layer over fewer experts of the same size, with the given gates and without a residual.
     * Its output is the concatenation of the gates' sums.
     */
    public Shape withGates(String newName, List<RoutingConfig> others) {
        int n = others.get(0).numExperts();
        return new Shape(newName, d, h, n, others.get(0).k(), 1, encoder, others);
    }

    /** The same shape with an encoder. */
    public Shape withEncoder(String newName, ShapeEncoder other) {
        return new Shape(newName, d, h, numExperts, k, layers, other, gates);
    }

    /** The same shape with experts that return their input. */
    Shape withIdentityExperts() {
        return new Shape(name, d, 0, numExperts, k, layers, encoder, gates);
    }

    /** Writes the model as a bundle. */
    Bundle writeBundle(Path directory) throws IOException {
        try (BundleWriter writer = new BundleWriter(directory)) {
            List<GateSpec> specs = new ArrayList<>();
            for (RoutingConfig routing : routings()) {
                String router =
                        specs.isEmpty() ? "router.onnx" : "router-" + specs.size() + ".onnx";
                float[] weights = router(specs.size());
                writer.add(router, RouterGraphs.linear(weights, numExperts, d));
                specs.add(GateSpec.of(router, routing));
            }
            List<String> experts = new ArrayList<>();
            for (int expert = 0; expert < numExperts; expert++) {
                experts.add("expert-" + expert + ".onnx");
                writer.add(experts.get(expert), expert(expert));
            }
            LayerSpec layer = layer(specs, experts);
            boolean encodes = encoder != ShapeEncoder.NONE;
            if (encodes) {
                int in = ShapeEncoder.features();
                float[] weights = random(ENCODER_SEED, ShapeEncoder.weights(d), in);
                writer.add("encoder.onnx", encoder.graph(weights, d));
            }
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    name,
                                    version,
                                    encoder.inputs(d),
                                    BundleSpec.outputsOf(List.of(layer), layer.outputSize()),
                                    encodes ? ModelFile.of("encoder.onnx") : null,
                                    null,
                                    Collections.nCopies(layers, layer),
                                    checksums));
        }
    }

    private List<RoutingConfig> routings() {
        return gates.isEmpty() ? List.of(RoutingConfig.mixtral(numExperts, k)) : gates;
    }

    private LayerSpec layer(List<GateSpec> specs, List<String> experts) {
        return new LayerSpec(
                d,
                specs.size() * d,
                null,
                null,
                gates.isEmpty() ? ResidualKind.INPUT : ResidualKind.NONE,
                experts.stream().map(file -> ExpertSpec.of(file, d)).toList(),
                List.of(),
                specs,
                null);
    }

    /**
     * Writes the layer as one ONNX model [batch, d] → [batch, d] with ONNX Runtime's own MoE node
     * and the weights of {@link #writeBundle}.
     */
    void writeFused(Path file) throws IOException {
        new OnnxGraph("fused")
                .input("hidden", d)
                .output("output", d)
                .linear("logits", "hidden", router(0), null, d, numExperts)
                .weights("gate_and_up", gatesAndUps(), numExperts, 2 * h, d)
                .weights("down", downs(), numExperts, d, h)
                .microsoftNode(
                        "MoE",
                        "moe",
                        List.of("hidden", "logits", "gate_and_up", "", "down"),
                        Map.of(
                                "k",
                                k,
                                "activation_type",
                                "swiglu",
                                "swiglu_fusion",
                                1,
                                "normalize_routing_weights",
                                1))
                .node("Add", "output", List.of("hidden", "moe"))
                .writeTo(file);
    }

    /** The rows of gate and up projection, interleaved as the node requires. */
    private float[] gatesAndUps() {
        float[] all = new float[numExperts * 2 * h * d];
        for (int expert = 0; expert < numExperts; expert++) {
            float[] gate = random(3 * expert, h * d, d);
            float[] up = random(3 * expert + 1, h * d, d);
            for (int row = 0; row < h; row++) {
                int to = (expert * 2 * h + 2 * row) * d;
                System.arraycopy(gate, row * d, all, to, d);
                System.arraycopy(up, row * d, all, to + d, d);
            }
        }
        return all;
    }

    private float[] downs() {
        float[] all = new float[numExperts * d * h];
        for (int expert = 0; expert < numExperts; expert++) {
            System.arraycopy(random(3 * expert + 2, d * h, h), 0, all, expert * d * h, d * h);
        }
        return all;
    }

    private float[] router(int gate) {
        return random(ROUTER_SEED - gate, numExperts * d, d);
    }

    private byte[] expert(int expert) {
        if (h == 0) {
            return new OnnxGraph("identity")
                    .input("hidden", d)
                    .output("output", d)
                    .node("Identity", "output", List.of("hidden"))
                    .toBytes();
        }
        return ExpertGraphs.gated(
                Activation.SILU,
                random(3 * expert, h * d, d),
                random(3 * expert + 1, h * d, d),
                random(3 * expert + 2, d * h, h),
                d,
                h);
    }

    /** Weights that preserve the magnitude of their input. */
    private static float[] random(int seed, int count, int in) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] weights = new float[count];
        double scale = Math.sqrt(3.0 / in);
        for (int i = 0; i < count; i++) {
            weights[i] = (float) (scale * (2 * random.nextDouble() - 1));
        }
        return weights;
    }
}
