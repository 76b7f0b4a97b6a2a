// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.OpenedModels.Bits;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.scoring.cli.TextTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/** A bundle as text: its sizes, the routing of its layers, and all its models. */
@Internal
final class BundleReport {

    private final Bundle bundle;
    private final Map<String, Bits> bits;
    private final TextTable models =
            new TextTable("model", "file", ">parameters", ">bytes", "sha256", "bits");
    private final String text;
    private long parameters;
    private long bytes;

    /**
     * @param bundle a bundle whose checksums were verified, as {@link Bundle#read} does
     * @param bits by file, whether the bits of a row depend on the rows in the same call
     */
    BundleReport(Bundle bundle, Map<String, Bits> bits) throws IOException {
        this.bundle = bundle;
        this.bits = bits;
        BundleSpec spec = bundle.spec();
        TextTable layers =
                new TextTable(">layer", "experts", "gate", "routing", "width", "residual");
        StringBuilder sentences = new StringBuilder();
        add("encoder", spec.encoder());
        for (int i = 0; i < spec.layers().size(); i++) {
            LayerSpec layer = spec.layers().get(i);
            addLayer(layers, i, layer);
            String prefix = spec.layers().size() == 1 ? "" : "layer %d ".formatted(i);
            sentences.append("layer %d: %s%n".formatted(i, LayerSentence.of(bundle, layer)));
            add(prefix + "norm", layer.norm());
            for (int gate = 0; gate < layer.gates().size(); gate++) {
                String name = layer.hasOneGate() ? "" : " of gate " + layer.gateName(gate);
                add(prefix + "router" + name, layer.gates().get(gate).router());
            }
            add(prefix + "input of the experts", layer.options().expertInput());
            for (int expert = 0; expert < layer.numExperts(); expert++) {
                add(
                        "%sexpert %s".formatted(prefix, layer.expertName(expert)),
                        layer.experts().get(expert).file());
            }
            add(prefix + "output of the experts", layer.options().routedOutput());
            for (int branch = 0; branch < layer.options().branchFiles().size(); branch++) {
                add(
                        "%sbranch %d".formatted(prefix, branch),
                        layer.options().branchFiles().get(branch));
            }
            for (int shared = 0; shared < layer.sharedExperts().size(); shared++) {
                add(
                        "%sshared expert %d".formatted(prefix, shared),
                        layer.sharedExperts().get(shared));
            }
            add(prefix + "norm after", layer.postNorm());
        }
        add("head", spec.head());
        models.row(
                "total", "", "%,d".formatted(parameters), "%,d".formatted(bytes), "verified", "");
        TextTable sizes =
                new TextTable("bundle", spec.name())
                        .row("version", spec.version())
                        .row("format", spec.formatVersion())
                        .row("inputs", spec.inputLayout().columns().describe())
                        .row("outputs", spec.outputLayout().describe());
        text =
                String.join(
                        System.lineSeparator(),
                        sizes + "",
                        layers + "",
                        sentences + "",
                        models + "");
    }

    @Override
    public String toString() {
        return text;
    }

    private void add(String name, ModelFile model) throws IOException {
        if (model == null) {
            return;
        }
        String relative = model.file();
        Path file = bundle.file(relative);
        long count = OnnxParameters.count(file);
        long size = Files.size(file);
        String checksum = bundle.spec().checksums().get(relative);
        models.row(
                name,
                relative,
                "%,d".formatted(count),
                "%,d".formatted(size),
                checksum.substring(0, 12),
                bits.containsKey(relative) ? bits.get(relative) : "");
        parameters += count;
        bytes += size;
    }

    /** Adds a row per gate. */
    private static void addLayer(TextTable layers, int number, LayerSpec layer) {
        for (int gate = 0; gate < layer.gates().size(); gate++) {
            boolean first = gate == 0;
            layers.row(
                    first ? number : "",
                    first ? experts(layer) : "",
                    layer.gateName(gate),
                    routing(layer, gate),
                    first ? "%d to %d".formatted(layer.inputSize(), layer.outputSize()) : "",
                    first ? lower(layer.residual()) : "");
        }
    }

    private static String experts(LayerSpec layer) {
        int shared = layer.sharedExperts().size();
        return layer.experts().size() + (shared == 0 ? "" : " and %d shared".formatted(shared));
    }

    private static String routing(LayerSpec layer, int gate) {
        GateSpec spec = layer.gates().get(gate);
        if (spec.rule() != null) {
            String column = spec.rule().column() == null ? "stream" : spec.rule().column();
            return "rule by %s, %d values".formatted(column, spec.rule().table().size());
        }
        RoutingConfig routing = spec.routing();
        return "%s, %s%s%s"
                .formatted(
                        lower(routing.scoringFunc()),
                        routing.isDense() ? "dense" : "top " + routing.k(),
                        spec.experts() == null ? "" : " of experts " + spec.experts(),
                        routing.normTopKProb() ? ", normalized" : "");
    }

    private static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
