// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.model.graph.RouterGraphs;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.flink.annotation.Internal;

/** Generates the weights of a {@link TinyModel} and writes its files. */
@Internal
final class TinyBundleWriter {

    private final TinyModel model;
    private final int n;
    private final int d;
    private final Random random;

    TinyBundleWriter(TinyModel model) {
        this.model = model;
        this.n = model.routing().numExperts();
        this.d = model.hiddenSize();
        this.random = new Random(model.seed());
    }

    Bundle write(Path folder) {
        try (BundleWriter writer = new BundleWriter(folder)) {
            String encoder = add(writer, "encoder.onnx", encoder());
            List<LayerSpec> layers = new ArrayList<>();
            for (int layer = 0; layer < model.layers(); layer++) {
                layers.add(layer(writer, "layers/" + layer + "/"));
            }
            String head = add(writer, "head.onnx", head());
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    "tiny",
                                    version,
                                    model.inputSize(),
                                    model.outputSize(),
                                    ModelFile.ofNullable(encoder),
                                    ModelFile.ofNullable(head),
                                    layers,
                                    checksums));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private LayerSpec layer(BundleWriter writer, String folder) throws IOException {
        String router = add(writer, folder + "router.onnx", router());
        List<String> experts = new ArrayList<>();
        for (int expert = 0; expert < n; expert++) {
            experts.add(add(writer, folder + "experts/" + expert + ".onnx", expert(expert)));
        }
        List<String> shared = new ArrayList<>();
        for (int i = 0; i < model.sharedExperts().size(); i++) {
            byte[] onnx = model.sharedExperts().get(i).onnx(i, d);
            shared.add(add(writer, folder + "shared/" + i + ".onnx", onnx));
        }
        return LayerSpec.oneGate(d, router, model.routing(), experts).withSharedExperts(shared);
    }

    private static String add(BundleWriter writer, String file, byte[] onnx) throws IOException {
        if (onnx == null) {
            return null;
        }
        writer.add(file, onnx);
        return file;
    }

    private byte[] encoder() {
        return model.encoder() != null ? model.encoder() : linear("encoder", model.inputSize(), d);
    }

    private byte[] head() {
        return model.head() != null ? model.head() : linear("head", d, model.outputSize());
    }

    private byte[] router() {
        if (model.router() != null) {
            return model.router();
        }
        float[] weight;
        if (model.identityRouter()) {
            weight = new float[n * n];
            for (int e = 0; e < n; e++) {
                weight[e * n + e] = 1;
            }
        } else {
            weight = weights(n, d);
        }
        return RouterGraphs.linear(weight, n, d);
    }

    private byte[] expert(int expert) {
        ExpertModel fixed = model.expertsByNumber().getOrDefault(expert, model.experts());
        if (fixed != null) {
            return fixed.onnx(expert, d);
        }
        int h = 2 * d;
        return ExpertGraphs.gated(
                Activation.SILU, weights(h, d), weights(h, d), weights(d, h), d, h);
    }

    /** Returns a linear model, or null if both widths are equal. */
    private byte[] linear(String name, int in, int out) {
        if (in == out) {
            return null;
        }
        return new OnnxGraph(name)
                .input("input", in)
                .output("output", out)
                .linear("output", "input", weights(out, in), null, in, out)
                .toBytes();
    }

    /** Returns random weights, scaled so that outputs are about as large as inputs. */
    private float[] weights(int out, int in) {
        float[] weights = new float[out * in];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) (random.nextGaussian() / Math.sqrt(in));
        }
        return weights;
    }
}
