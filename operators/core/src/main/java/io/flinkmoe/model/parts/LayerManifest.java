// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelJson;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.RuleSpec;
import io.flinkmoe.model.Slice;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
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

    private record Expert(String name, Part part, Slice input) {}

    private record Gate(ManifestNode node, Part router) {}

    private final ManifestNode node;
    private final PartReader reader;
    private final String folder;
    private final List<Expert> experts = new ArrayList<>();
    private final List<Gate> gates = new ArrayList<>();
    private final List<Part> shared = new ArrayList<>();
    private final Part norm;
    private final Part postNorm;

    /**
     * @param index the number of the layer
     */
    LayerManifest(ManifestNode node, int index, PartReader reader) throws IOException {
        this.node =
                node.object("experts", "gates", "norm", "post_norm", "residual", "shared_experts");
        this.reader = reader;
        this.folder = "layers/%d/".formatted(index);
        node.required("residual");
        readExperts(node.required("experts"));
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

    private void readExperts(ManifestNode list) throws IOException {
        if (!list.json().isArray()) {
            for (Part part : reader.readAll(list)) {
                experts.add(new Expert(null, part, null));
            }
            return;
        }
        for (ManifestNode entry : list.items()) {
            if (entry.json().isTextual()) {
                experts.add(new Expert(null, reader.read(entry), null));
                continue;
            }
            entry.object("name", "file", "input");
            ManifestNode name = entry.field("name");
            experts.add(
                    new Expert(
                            name.isPresent() ? name.text() : null,
                            reader.read(entry.required("file")),
                            slice(entry.field("input"))));
        }
    }

    /** The width of the layer's input, from the parts that read all of it; -1 if none does. */
    int inputWidth() {
        return Stream.concat(
                        Stream.concat(Stream.ofNullable(norm), shared.stream()),
                        Stream.concat(
                                experts.stream().filter(e -> e.input == null).map(Expert::part),
                                gates.stream()
                                        .filter(g -> g.router != null)
                                        .filter(g -> !g.node.field("input").isPresent())
                                        .map(Gate::router)))
                .mapToInt(Part::inputWidth)
                .findFirst()
                .orElse(-1);
    }

    /** Writes the parts. */
    LayerSpec write(int inputWidth, BundleWriter writer) throws IOException {
        List<ExpertSpec> expertSpecs = new ArrayList<>();
        for (Expert expert : experts) {
            String file = "%sexperts/%d.onnx".formatted(folder, expertSpecs.size());
            expert.part.write(writer, file);
            expertSpecs.add(
                    new ExpertSpec(expert.name, file, expert.input, expert.part.outputWidth()));
        }
        List<GateSpec> gateSpecs = new ArrayList<>();
        for (Gate gate : gates) {
            gateSpecs.add(write(gate, gateSpecs.size(), writer));
        }
        List<String> sharedFiles = new ArrayList<>();
        for (Part part : shared) {
            sharedFiles.add(write(part, "shared/" + sharedFiles.size(), writer));
        }
        try {
            return new LayerSpec(
                    inputWidth,
                    gateSpecs.stream().mapToInt(gate -> gate.outputSize(expertSpecs)).sum(),
                    norm == null ? null : write(norm, "norm", writer),
                    postNorm == null ? null : write(postNorm, "post_norm", writer),
                    residual(),
                    expertSpecs,
                    sharedFiles,
                    gateSpecs,
                    null);
        } catch (IllegalArgumentException e) {
            throw node.invalid(e);
        }
    }

    private String write(Part part, String name, BundleWriter writer) throws IOException {
        String file = folder + name + ".onnx";
        part.write(writer, file);
        return file;
    }

    private ResidualKind residual() throws BundleException {
        return switch (node.field("residual").text()) {
            case "input" -> ResidualKind.INPUT;
            case "none" -> ResidualKind.NONE;
            default -> throw node.field("residual").wrong("input or none");
        };
    }

    private GateSpec write(Gate gate, int number, BundleWriter writer) throws IOException {
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
                    slice(spec.field("input")),
                    experts(spec.field("experts")),
                    routing(spec, gate.router.outputWidth()),
                    null);
        } catch (IllegalArgumentException e) {
            throw spec.invalid(e);
        }
    }

    private static RuleSpec rule(ManifestNode node) throws BundleException {
        node.object("stream", "column", "table", "fallback");
        Map<String, String> table = new LinkedHashMap<>();
        ManifestNode entries = node.required("table");
        if (!entries.json().isObject()) {
            throw entries.wrong("an object from values to experts");
        }
        for (String value : (Iterable<String>) entries.json()::fieldNames) {
            table.put(value, entries.field(value).text());
        }
        ManifestNode fallback = node.field("fallback");
        ManifestNode stream = node.field("stream");
        ManifestNode column = node.field("column");
        return new RuleSpec(
                stream.isPresent() ? stream.flag() : null,
                column.isPresent() ? column.text() : null,
                table,
                fallback.isPresent() ? fallback.text() : null);
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

    private static Slice slice(ManifestNode node) throws BundleException {
        if (!node.isPresent()) {
            return null;
        }
        List<ManifestNode> ends = node.items();
        if (ends.size() != 2) {
            throw node.wrong("[from, to]");
        }
        try {
            return new Slice(ends.get(0).integer(), ends.get(1).integer());
        } catch (IllegalArgumentException e) {
            throw node.wrong("[from, to] with 0 <= from < to");
        }
    }
}
