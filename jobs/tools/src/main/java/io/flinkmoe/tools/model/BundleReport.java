// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.scoring.cli.TextTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;

/** A bundle as text: its sizes, the routing of its layers, and all its models. */
@Internal
final class BundleReport {

    private final Bundle bundle;
    private final TextTable models =
            new TextTable("model", "file", ">parameters", ">bytes", "sha256");
    private final String text;
    private long parameters;
    private long bytes;

    /**
     * @param bundle a bundle whose checksums were verified, as {@link Bundle#read} does
     */
    BundleReport(Bundle bundle) throws IOException {
        this.bundle = bundle;
        BundleSpec spec = bundle.spec();
        TextTable layers = new TextTable(">layer", "experts", "routing", "residual");
        add("encoder", spec.encoder());
        for (int i = 0; i < spec.layers().size(); i++) {
            LayerSpec layer = spec.layers().get(i);
            layers.row(i, experts(layer), routing(layer.routing()), lower(layer.residual()));
            String prefix = spec.layers().size() == 1 ? "" : "layer %d ".formatted(i);
            add(prefix + "norm", layer.norm());
            add(prefix + "router", layer.router());
            addAll(prefix + "expert", layer.experts());
            addAll(prefix + "shared expert", layer.sharedExperts());
        }
        add("head", spec.head());
        models.row("total", "", "%,d".formatted(parameters), "%,d".formatted(bytes), "verified");
        TextTable sizes =
                new TextTable("bundle", spec.name())
                        .row("version", spec.version())
                        .row("format", spec.formatVersion())
                        .row("input", spec.inputSize())
                        .row("hidden", spec.hiddenSize())
                        .row("output", spec.outputSize());
        text = String.join(System.lineSeparator(), sizes + "", layers + "", models + "");
    }

    @Override
    public String toString() {
        return text;
    }

    private void addAll(String name, List<String> files) throws IOException {
        for (int i = 0; i < files.size(); i++) {
            add("%s %d".formatted(name, i), files.get(i));
        }
    }

    private void add(String name, String relative) throws IOException {
        if (relative == null) {
            return;
        }
        Path file = bundle.file(relative);
        long count = OnnxParameters.count(file);
        long size = Files.size(file);
        String checksum = bundle.spec().checksums().get(relative);
        models.row(
                name,
                relative,
                "%,d".formatted(count),
                "%,d".formatted(size),
                checksum.substring(0, 12));
        parameters += count;
        bytes += size;
    }

    private static String experts(LayerSpec layer) {
        int shared = layer.sharedExperts().size();
        return layer.experts().size() + (shared == 0 ? "" : " and %d shared".formatted(shared));
    }

    private static String routing(RoutingConfig routing) {
        return "%s, top %d%s"
                .formatted(
                        lower(routing.scoringFunc()),
                        routing.numExpertsPerTok(),
                        routing.normTopKProb() ? ", normalized" : "");
    }

    private static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
