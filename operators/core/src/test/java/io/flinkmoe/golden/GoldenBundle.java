// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.GateSpec.RouterInput;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * A bundle of one layer out of the weights of a golden case: the router, the experts and what else
 * the system has. The layer gives the block's output alone, but for BASE, whose published form
 * holds the residual. A hash layer's tokens bear their id before their vector.
 */
final class GoldenBundle {

    private final GoldenCase golden;
    private final int d;
    private final int n;
    private final boolean noiseInTheToken;
    private final boolean addsTheVector;

    GoldenBundle(GoldenCase golden) {
        this(golden, false, false);
    }

    private GoldenBundle(GoldenCase golden, boolean noiseInTheToken, boolean addsTheVector) {
        this.golden = golden;
        this.noiseInTheToken = noiseInTheToken;
        this.addsTheVector = addsTheVector;
        this.d = golden.integer("d_model");
        this.n = golden.integer("num_experts");
    }

    /** The same layer over tokens that bear their own draws of normal noise, before the vector. */
    GoldenBundle withNoiseInTheToken() {
        return new GoldenBundle(golden, true, false);
    }

    /**
     * The same layer with the residual, if it has shared experts: without, a token none of whose
     * choices is executed has no output, where the published block gives that of the shared
     * experts.
     */
    GoldenBundle withTheVectorWhereShared() throws IOException {
        return new GoldenBundle(golden, noiseInTheToken, sharedExpert() != null);
    }

    /** What the layer adds to the block's output [T, d]: the vectors, or nothing. */
    float[] added() {
        float[] x = golden.floats("x");
        return addsTheVector ? x : new float[x.length];
    }

    /** Whether the router sees the token's id, in a column before the vector. */
    boolean hashes() {
        return golden.hasTensor("hash.table");
    }

    int inputWidth() {
        return d + extraColumns();
    }

    private int extraColumns() {
        return noiseInTheToken ? n : hashes() ? 1 : 0;
    }

    /** The tokens, [T, inputWidth]. */
    float[] tokens() {
        float[] x = golden.floats("x");
        int extra = extraColumns();
        if (extra == 0) {
            return x;
        }
        int[] ids = hashes() ? golden.ints("token_ids") : null;
        float[] noise = noiseInTheToken ? golden.floats("noise.normal") : null;
        int rows = x.length / d;
        float[] tokens = new float[rows * (d + extra)];
        for (int row = 0; row < rows; row++) {
            int at = row * (d + extra);
            for (int column = 0; column < extra; column++) {
                tokens[at + column] = hashes() ? ids[row] : noise[row * n + column];
            }
            System.arraycopy(x, row * d, tokens, at + extra, d);
        }
        return tokens;
    }

    Bundle write(Path directory, RoutingConfig routing) throws IOException {
        try (BundleWriter writer = new BundleWriter(directory)) {
            boolean encodes = extraColumns() > 0;
            if (encodes) {
                writer.add("encoder.onnx", lastColumns());
            }
            writer.add("router.onnx", noiseInTheToken ? noisyRouter() : router());
            RoutingConfig config = noiseInTheToken ? routing.withNoise(null) : routing;
            boolean noisy =
                    config.noise() != null && config.noise().kind() == RouterNoise.Kind.NORMAL;
            if (noisy) {
                writer.add(
                        "noise.onnx",
                        RouterGraphs.noiseStddev(golden.floats("router.noise_weight"), n, d));
            }
            List<String> experts = new ArrayList<>();
            for (int expert = 0; expert < n; expert++) {
                experts.add("experts/" + expert + ".onnx");
                writer.add(experts.get(expert), expert(expert));
            }
            List<String> shared = new ArrayList<>();
            byte[] sharedExpert = sharedExpert();
            if (sharedExpert != null) {
                shared.add("shared.onnx");
                writer.add("shared.onnx", sharedExpert);
            }
            boolean mixed = golden.hasTensor("residual.coef_weight");
            if (mixed) {
                writer.add(
                        "scale.onnx",
                        RouterGraphs.residualScale(
                                golden.floats("residual.coef_weight"),
                                golden.floats("residual.coef_bias"),
                                d));
            }
            LayerSpec layer =
                    LayerSpec.oneGate(d, "router.onnx", config.withNoise(null), experts)
                            .withGates(
                                    List.of(
                                            new GateSpec(
                                                    null,
                                                    ModelFile.of("router.onnx"),
                                                    encodes ? RouterInput.TOKEN : null,
                                                    noisy ? ModelFile.of("noise.onnx") : null,
                                                    null,
                                                    null,
                                                    config,
                                                    null)))
                            .withExpertScale(mixed ? "scale.onnx" : null)
                            .withResidual(
                                    addsTheVector || golden.system().equals("base_layer")
                                            ? ResidualKind.INPUT
                                            : ResidualKind.NONE)
                            .withSharedExperts(shared);
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    golden.name(),
                                    version,
                                    inputWidth(),
                                    d,
                                    encodes ? ModelFile.of("encoder.onnx") : null,
                                    null,
                                    List.of(layer),
                                    checksums));
        }
    }

    /** An encoder that leaves the vector. */
    private byte[] lastColumns() {
        return new OnnxGraph("last_columns")
                .input("token", inputWidth())
                .output("hidden", d)
                .linear("hidden", "token", columns(extraColumns(), d), null, inputWidth(), d)
                .toBytes();
    }

    /** [count, inputWidth], which takes {@code count} columns of a token. */
    private float[] columns(int first, int count) {
        float[] matrix = new float[count * inputWidth()];
        for (int i = 0; i < count; i++) {
            matrix[i * inputWidth() + first + i] = 1;
        }
        return matrix;
    }

    /** x·W + noise · (softplus(x·Wnoise) + 0.01), with the noise out of the token. */
    private byte[] noisyRouter() {
        int width = inputWidth();
        return new OnnxGraph("noisy_router")
                .input("token", width)
                .output("logits", n)
                .linear("x", "token", columns(n, d), null, width, d)
                .linear("noise", "token", columns(0, n), null, width, n)
                .linear("clean", "x", golden.floats("router.weight"), null, d, n)
                .linear("raw", "x", golden.floats("router.noise_weight"), null, d, n)
                .weights("floor", new float[] {0.01f})
                .node("Softplus", "soft", List.of("raw"))
                .node("Add", "deviation", List.of("soft", "floor"))
                .node("Mul", "drawn", List.of("noise", "deviation"))
                .node("Add", "logits", List.of("clean", "drawn"))
                .toBytes();
    }

    private byte[] router() {
        if (hashes()) {
            return RouterGraphs.hash(golden.ints("hash.table"), 0, d + 1, n);
        }
        if (golden.hasTensor("router.weight")) {
            return RouterGraphs.linear(golden.floats("router.weight"), n, d);
        }
        if (golden.hasTensor("router.w1")) {
            return RouterGraphs.mlp(
                    golden.floats("router.w1"),
                    golden.floats("router.b1"),
                    golden.floats("router.w2"),
                    n,
                    d,
                    golden.shape("router.w1")[0]);
        }
        if (golden.hasTensor("router.proj")) {
            return RouterGraphs.cosine(
                    golden.floats("router.proj"),
                    golden.floats("router.centroids"),
                    golden.floats("router.log_temperature")[0],
                    n,
                    d,
                    golden.shape("router.proj")[0]);
        }
        return RouterGraphs.linear(golden.floats("router.centroids"), n, d);
    }

    private byte[] expert(int expert) {
        int h = golden.integer("d_ff");
        if (golden.hasTensor("experts.wa")) {
            return ExpertGraphs.tripleProduct(
                    of("experts.wa", expert),
                    of("experts.wb", expert),
                    of("experts.wu", expert),
                    of("experts.w2", expert),
                    d,
                    h);
        }
        if (golden.hasTensor("experts.ln_weight")) {
            return ExpertGraphs.baseLayer(
                    of("experts.ln_weight", expert),
                    of("experts.ln_bias", expert),
                    (float) golden.number("ln_eps"),
                    of("experts.wi", expert),
                    of("experts.bi", expert),
                    of("experts.wo", expert),
                    of("experts.bo", expert),
                    d,
                    h);
        }
        if (golden.hasTensor("experts.w3")) {
            return ExpertGraphs.gated(
                    activation(),
                    of("experts.w1", expert),
                    of("experts.w3", expert),
                    of("experts.w2", expert),
                    d,
                    h);
        }
        float scale =
                golden.has("expert_output_scale")
                        ? (float) golden.number("expert_output_scale")
                        : 1;
        return ExpertGraphs.plain(
                activation(),
                of("experts.wi", expert),
                of("experts.bi", expert),
                of("experts.wo", expert),
                of("experts.bo", expert),
                scale,
                d,
                h);
    }

    private byte[] sharedExpert() {
        if (golden.hasTensor("out_bias")) {
            return ExpertGraphs.constant(golden.floats("out_bias"));
        }
        if (golden.hasTensor("residual.wi")) {
            return ExpertGraphs.residualMlp(
                    activation(),
                    golden.floats("residual.coef_weight"),
                    golden.floats("residual.coef_bias"),
                    golden.floats("residual.wi"),
                    golden.floats("residual.bi"),
                    golden.floats("residual.wo"),
                    golden.floats("residual.bo"),
                    d,
                    golden.shape("residual.wi")[0]);
        }
        if (!golden.hasTensor("shared.w1")) {
            return null;
        }
        float[] w1 = golden.floats("shared.w1");
        float[] w3 = golden.floats("shared.w3");
        float[] w2 = golden.floats("shared.w2");
        int h = golden.shape("shared.w1")[0];
        return golden.hasTensor("shared_gate.weight")
                ? ExpertGraphs.sharedWithGate(golden.floats("shared_gate.weight"), w1, w3, w2, d, h)
                : ExpertGraphs.gated(Activation.SILU, w1, w3, w2, d, h);
    }

    private Activation activation() {
        return Activation.valueOf(golden.text("activation").toUpperCase(Locale.ROOT));
    }

    /** One expert's part of a tensor, or null if the system has no such tensor. */
    private float[] of(String tensor, int expert) {
        if (!golden.hasTensor(tensor)) {
            return null;
        }
        float[] all = golden.floats(tensor);
        int size = all.length / n;
        return Arrays.copyOfRange(all, expert * size, (expert + 1) * size);
    }
}
