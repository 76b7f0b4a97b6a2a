// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ModelJson;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.RuleSpec;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.RuleTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/** Reads one layer of a manifest and its parts, and writes them. */
@Internal
final class LayerManifest {

    private static final List<String> GATE_FIELDS = List.of("name", "router", "input", "experts");

    private record Gate(ManifestNode node, Part router) {}

    private final ManifestNode node;
    private final PartReader reader;
    private final String folder;
    private final ExpertList experts;
    private final List<Gate> gates = new ArrayList<>();
    private final List<Part> shared = new ArrayList<>();
    private final Part norm;
    private final Part postNorm;

    /**
     * @param index the number of the layer
     */
    LayerManifest(ManifestNode node, int index, PartReader reader) throws IOException {
        this.node =
                node.object(
                        "experts",
                        "gates",
                        "input_size",
                        "norm",
                        "post_norm",
                        "residual",
                        "shared_experts");
        this.reader = reader;
        this.folder = "layers/%d/".formatted(index);
        node.required("residual");
        experts = new ExpertList(node.required("experts"), reader);
        for (ManifestNode gate : node.required("gates").items()) {
            boolean isRule = gate.field("rule").isPresent();
            gates.add(new Gate(gate, isRule ? null : reader.read(gate.required("router"))));
        }
        if (node.field("shared_experts").isPresent()) {
            for (ManifestNode file : node.field("shared_experts").items()) {
                shared.add(reader.read(file));
            }
        }
        norm = optional("norm");
        postNorm = optional("post_norm");
    }

    private Part optional(String field) throws IOException {
        return node.field(field).isPresent() ? reader.read(node.field(field)) : null;
    }

    /**
     * The width of the layer's input: what the parts say that read all of it, or the manifest;
     * {@link OnnxShapes#UNKNOWN} if none does.
     */
    int inputWidth() throws BundleException {
        ManifestNode given = node.field("input_size");
        int other = given.isPresent() ? given.integer() : OnnxShapes.UNKNOWN;
        return Stream.concat(
                        Stream.concat(Stream.ofNullable(norm), shared.stream()),
                        Stream.concat(
                                experts.ofWholeInput(),
                                gates.stream()
                                        .filter(g -> g.router != null)
                                        .filter(g -> !g.node.field("input").isPresent())
                                        .map(Gate::router)))
                .mapToInt(Part::inputWidth)
                .filter(width -> width != OnnxShapes.UNKNOWN)
                .findFirst()
                .orElse(other);
    }

    /**
     * Writes the parts.
     *
     * @param inputWidth the width of the vectors that the layer gets
     */
    LayerSpec write(int inputWidth, PartWriter writer) throws IOException {
        ManifestNode given = node.field("input_size");
        if (given.isPresent() && given.integer() != inputWidth) {
            throw given.wrong(
                    "%d, the width of the vectors that the parts read or write"
                            .formatted(inputWidth));
        }
        boolean keepsWidth = residual() == ResidualKind.INPUT && gates.size() == 1;
        List<ExpertSpec> expertSpecs =
                experts.write(folder, keepsWidth ? inputWidth : OnnxShapes.UNKNOWN, writer);
        List<GateSpec> gateSpecs = new ArrayList<>();
        for (Gate gate : gates) {
            gateSpecs.add(write(gate, gateSpecs.size(), writer));
        }
        List<ModelFile> sharedFiles = new ArrayList<>();
        for (Part part : shared) {
            sharedFiles.add(write(part, "shared/" + sharedFiles.size(), writer));
        }
        try {
            return new LayerSpec(
                    inputWidth,
                    gateSpecs.stream().mapToInt(gate -> gate.outputSize(expertSpecs)).sum(),
                    write(norm, "norm", writer),
                    write(postNorm, "post_norm", writer),
                    residual(),
                    expertSpecs,
                    sharedFiles,
                    gateSpecs,
                    null);
        } catch (IllegalArgumentException e) {
            throw node.invalid(e);
        }
    }

    private ModelFile write(Part part, String name, PartWriter writer) throws IOException {
        return writer.write(part, folder + name + ".onnx");
    }

    private ResidualKind residual() throws BundleException {
        return switch (node.field("residual").text()) {
            case "input" -> ResidualKind.INPUT;
            case "none" -> ResidualKind.NONE;
            default -> throw node.field("residual").wrong("input or none");
        };
    }

    private GateSpec write(Gate gate, int number, PartWriter writer) throws IOException {
        ManifestNode spec = gate.node;
        try {
            String name = spec.field("name").isPresent() ? spec.field("name").text() : null;
            if (gate.router == null) {
                spec.object("name", "rule");
                return GateSpec.of(name, rule(spec.field("rule")));
            }
            return new GateSpec(
                    name,
                    write(gate.router, "gates/" + number, writer),
                    null,
                    null,
                    ExpertList.slice(spec.field("input")),
                    experts(spec.field("experts")),
                    routing(spec, columns(gate)),
                    null);
        } catch (IllegalArgumentException e) {
            throw spec.invalid(e);
        }
    }

    private RuleSpec rule(ManifestNode node) throws IOException {
        node.object("stream", "column", "table", "table_file", "fallback");
        ManifestNode fallback = node.field("fallback");
        ManifestNode stream = node.field("stream");
        ManifestNode column = node.field("column");
        return new RuleSpec(
                stream.isPresent() ? stream.flag() : null,
                column.isPresent() ? column.text() : null,
                table(node),
                fallback.isPresent() ? fallback.text() : null);
    }

    private Map<String, String> table(ManifestNode rule) throws IOException {
        ManifestNode file = rule.field("table_file");
        if (file.isPresent()) {
            if (rule.field("table").isPresent()) {
                throw file.wrong("nothing, as there is a table");
            }
            Path path = reader.file(file);
            try {
                return RuleTable.read(path, experts.names());
            } catch (RuleTable.WrongTableException e) {
                throw new BundleException(path, e.getMessage(), e);
            }
        }
        Map<String, String> table = new LinkedHashMap<>();
        ManifestNode entries = rule.required("table");
        if (!entries.json().isObject()) {
            throw entries.wrong("an object from values to experts");
        }
        for (String value : (Iterable<String>) entries.json()::fieldNames) {
            table.put(value, entries.field(value).text());
        }
        return table;
    }

    /** All other fields of a gate are its routing. What selects and weighs is never guessed. */
    private static RoutingConfig routing(ManifestNode node, int n) throws BundleException {
        node.required("scoring_func");
        if (node.field("num_experts_per_tok").isPresent()) {
            node.required("norm_topk_prob");
        }
        ObjectNode routing = node.json().deepCopy();
        routing.remove(GATE_FIELDS);
        if (routing.has("num_experts")) {
            throw node.field("num_experts").wrong("nothing: the router's output says it");
        }
        routing.put("num_experts", n);
        if (!routing.has("norm_topk_prob")) {
            routing.put("norm_topk_prob", false);
        }
        return ModelJson.routing(routing);
    }

    private static List<Integer> experts(ManifestNode node) throws BundleException {
        if (!node.isPresent()) {
            return null;
        }
        List<Integer> experts = new ArrayList<>();
        for (ManifestNode entry : node.items()) {
            experts.add(entry.integer());
        }
        return experts;
    }

    /** The columns of a router's output: one per expert of its gate. */
    private int columns(Gate gate) throws BundleException {
        int width = gate.router.outputWidth();
        if (width != OnnxShapes.UNKNOWN) {
            return width;
        }
        List<Integer> chosen = experts(gate.node.field("experts"));
        return chosen == null ? experts.size() : chosen.size();
    }
}
