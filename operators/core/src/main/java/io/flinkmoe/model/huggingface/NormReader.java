// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.FeedForward;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.graph.NormGraphs;
import java.io.IOException;
import java.util.Arrays;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/** The norms of one MoE layer, and linear layers that stand by themselves. */
@Internal
final class NormReader {

    private final Checkpoint checkpoint;
    private final CheckpointConfig config;
    private final Family family;
    private final Weights.OfLayer names;
    private final int hiddenSize;

    /**
     * @param hiddenSize d
     */
    NormReader(Checkpoint checkpoint, Family family, Weights.OfLayer names, int hiddenSize) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.family = family;
        this.names = names;
        this.hiddenSize = hiddenSize;
    }

    /** The norm before router and experts; empty if there is none. */
    Optional<FileContent> first() throws IOException {
        Optional<NormGraphs.Norm> norm = norm(family.norm());
        if (norm.isPresent() && family.firstNorm() != null) {
            NormGraphs.Rms first = scaled((NormGraphs.Rms) required(family.firstNorm()));
            return Optional.of(new NormGraphs.Chain(first, norm.get()).graph("two_norms"));
        }
        if (norm.isEmpty() || family.normGate() == null) {
            return norm.map(n -> n.graph(graphName()));
        }
        FeedForward.Linear down = linear(family.normGate().get(0), hiddenSize, -1);
        FeedForward.Linear up = linear(family.normGate().get(1), down.out(), hiddenSize);
        return Optional.of(new NormGraphs.Gated(norm.get(), down, up).graph("gated_norm"));
    }

    /** The same norm times the factor of the layer's type. */
    private NormGraphs.Rms scaled(NormGraphs.Rms norm) throws CheckpointException {
        String published = config.entry("attn_type_list", names.layer().number());
        String type =
                published.isEmpty()
                        ? config.entry("layer_types", names.layer().number())
                        : published;
        Setting setting = family.firstNormScale().get(type);
        if (setting == null) {
            throw config.invalid(
                    "layer_types has '%s' for layer %d; expected one of %s"
                            .formatted(
                                    type,
                                    names.layer().number(),
                                    family.firstNormScale().keySet()));
        }
        float scale = (float) setting.number(config);
        float[] weight = norm.weight().clone();
        for (int i = 0; i < weight.length; i++) {
            weight[i] *= scale;
        }
        return new NormGraphs.Rms(weight, norm.eps());
    }

    /** A norm of the width d; empty if the family or the checkpoint does not have it. */
    private Optional<NormGraphs.Norm> norm(Names declared) throws IOException {
        if (declared == null || !checkpoint.contains(names.existing(declared) + ".weight")) {
            return Optional.empty();
        }
        String name = names.existing(declared);
        float[] weight = checkpoint.floats(name + ".weight", hiddenSize);
        float eps = family.eps().positive(config);
        switch (family.normForm()) {
            case RMS -> {}
            case RMS_PLUS_ONE -> {
                for (int i = 0; i < weight.length; i++) {
                    weight[i] += 1;
                }
            }
            case LAYER -> {
                boolean hasBias = checkpoint.contains(name + ".bias");
                float[] bias = hasBias ? checkpoint.floats(name + ".bias", hiddenSize) : null;
                return Optional.of(new NormGraphs.Layer(weight, bias, eps));
            }
        }
        return Optional.of(new NormGraphs.Rms(weight, eps));
    }

    NormGraphs.Norm required(Names declared) throws IOException {
        Optional<NormGraphs.Norm> norm = norm(declared);
        if (norm.isEmpty()) {
            throw checkpoint.missing(names.existing(declared) + ".weight");
        }
        return norm.get();
    }

    /** What the graph of a norm is called. */
    String graphName() {
        return family.normForm() == Family.NormForm.LAYER ? "layer_norm" : "rms_norm";
    }

    /**
     * A linear layer, with a bias if the checkpoint has one.
     *
     * @param out the width of the output, or -1 for that of the weight
     */
    FeedForward.Linear linear(Names declared, int in, int out) throws IOException {
        String name = names.existing(declared);
        StoredWeight weight = names.weights().get(name);
        int rows = out < 0 ? weight.dim(0) : out;
        if (!Arrays.equals(weight.shape(), new long[] {rows, in})) {
            throw checkpoint.wrongShape(weight.name(), "[%d, %d]".formatted(rows, in));
        }
        boolean hasBias = checkpoint.contains(name + ".bias");
        float[] bias = hasBias ? checkpoint.floats(name + ".bias", rows) : null;
        return new FeedForward.Linear(weight.blocks(), bias, in, rows);
    }
}
