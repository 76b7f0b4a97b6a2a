package io.flinkmoe.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/** A golden case, and the graphs that its tensors make. */
final class GoldenGraphs implements AutoCloseable {
    final float[] x;
    final int d;
    private final JsonNode config;
    private final SafetensorsFile tensors;

    GoldenGraphs(Path folder) throws IOException {
        config = new ObjectMapper().readTree(folder.resolve("case.json").toFile()).get("config");
        tensors = SafetensorsFile.open(folder.resolve("tensors.safetensors"));
        x = has("x") ? floats("x") : null;
        d = has("x") ? size("x", 1) : 0;
    }

    boolean has(String name) {
        return tensors.contains(name);
    }

    float[] floats(String name) throws IOException {
        return tensors.floats(name);
    }

    int[] ints(String name) throws IOException {
        return tensors.ints(name);
    }

    /** The size of a tensor along one dimension. */
    int size(String name, int dim) throws IOException {
        return (int) tensors.shape(name)[dim];
    }

    byte[] expert(int e) throws IOException {
        if (has("experts.w1")) {
            return ExpertGraphs.gated(
                    activation(),
                    of("experts.w1", e),
                    of("experts.w3", e),
                    of("experts.w2", e),
                    d,
                    size("experts.w1", 1));
        }
        if (has("experts.wa")) {
            return ExpertGraphs.tripleProduct(
                    of("experts.wa", e),
                    of("experts.wb", e),
                    of("experts.wu", e),
                    of("experts.w2", e),
                    d,
                    size("experts.wa", 1));
        }
        float[] wi = of("experts.wi", e);
        float[] wo = of("experts.wo", e);
        float[] bi = has("experts.bi") ? of("experts.bi", e) : null;
        float[] bo = has("experts.bo") ? of("experts.bo", e) : null;
        int h = size("experts.wi", 1);
        if (has("experts.ln_weight")) {
            float eps = (float) config.get("ln_eps").asDouble();
            float[] lnWeight = of("experts.ln_weight", e);
            float[] lnBias = of("experts.ln_bias", e);
            return ExpertGraphs.baseLayer(lnWeight, lnBias, eps, wi, bi, wo, bo, d, h);
        }
        float scale = (float) config.path("expert_output_scale").asDouble(1);
        return ExpertGraphs.plain(activation(), wi, bi, wo, bo, scale, d, h);
    }

    /** What every token visits, or null. */
    byte[] shared() throws IOException {
        if (has("out_bias")) {
            return ExpertGraphs.constant(floats("out_bias"));
        }
        if (has("residual.wi")) {
            return ExpertGraphs.residualMlp(
                    activation(),
                    floats("residual.coef_weight"),
                    floats("residual.coef_bias"),
                    floats("residual.wi"),
                    floats("residual.bi"),
                    floats("residual.wo"),
                    floats("residual.bo"),
                    d,
                    size("residual.wi", 0));
        }
        if (!has("shared.w1")) {
            return null;
        }
        float[] w1 = floats("shared.w1");
        float[] w3 = floats("shared.w3");
        float[] w2 = floats("shared.w2");
        int h = size("shared.w1", 0);
        return has("shared_gate.weight")
                ? ExpertGraphs.sharedWithGate(floats("shared_gate.weight"), w1, w3, w2, d, h)
                : ExpertGraphs.gated(activation(), w1, w3, w2, d, h);
    }

    boolean hasRouter() {
        return has("router.weight") || has("router.centroids") || has("router.w1");
    }

    /** The router of the hidden vectors. */
    byte[] router() throws IOException {
        if (has("router.proj")) {
            return RouterGraphs.cosine(
                    floats("router.proj"),
                    floats("router.centroids"),
                    floats("router.log_temperature")[0],
                    size("router.centroids", 0),
                    d,
                    size("router.proj", 0));
        }
        if (has("router.w1")) {
            return RouterGraphs.mlp(
                    floats("router.w1"),
                    floats("router.b1"),
                    floats("router.w2"),
                    size("router.w2", 0),
                    d,
                    size("router.w1", 0));
        }
        String name = has("router.weight") ? "router.weight" : "router.centroids";
        return RouterGraphs.linear(floats(name), size(name, 0), d);
    }

    private Activation activation() {
        return Activation.valueOf(config.get("activation").asText().toUpperCase(Locale.ROOT));
    }

    /** The part of a tensor [N, ...] that belongs to an expert. */
    private float[] of(String name, int expert) throws IOException {
        float[] all = floats(name);
        int part = all.length / size(name, 0);
        return Arrays.copyOfRange(all, expert * part, (expert + 1) * part);
    }

    @Override
    public void close() throws IOException {
        tensors.close();
    }
}
