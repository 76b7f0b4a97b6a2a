// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import static io.flinkmoe.model.OnnxShapes.UNKNOWN;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.Slice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * The experts of a layer, as its manifest lists them: a pattern of files, layers of a state dict,
 * or a list. An entry of a list is a path, a state dict, or an object:
 *
 * <pre>
 *   {name: retail, file: experts/retail.onnx, output: probabilities, input: [0, 12], output_size: 3}
 * </pre>
 *
 * <p>There {@code input} is a slice of the layer's input, or the name of a tensor; an expert that
 * has both names the tensor in {@code file: {file: …, input: NAME}}.
 */
@Internal
final class ExpertList {

    /** An expert, and the value of the manifest that describes it. */
    private record Expert(ManifestNode node, String name, Part part, Slice input) {

        /** What the file or the manifest says. */
        int outputWidth() throws BundleException {
            ManifestNode given = node.field("output_size");
            int width = part.outputWidth();
            if (width != UNKNOWN && given.isPresent() && given.integer() != width) {
                throw new BundleException(
                        part.source(),
                        "its output has the width %d, but %s is %d; remove it from the manifest"
                                .formatted(width, given.path(), given.integer()));
            }
            return width == UNKNOWN && given.isPresent() ? given.integer() : width;
        }
    }

    private final PartReader reader;
    private final List<Expert> experts = new ArrayList<>();

    ExpertList(ManifestNode list, PartReader reader) throws IOException {
        this.reader = reader;
        if (!list.json().isArray()) {
            addAll(list);
            return;
        }
        if (list.items().isEmpty()) {
            throw list.wrong("at least one expert");
        }
        for (ManifestNode entry : list.items()) {
            if (PartReader.isState(entry) && PartReader.isOfSeveral(entry)) {
                addAll(entry);
            } else if (PartReader.isState(entry) || entry.json().isTextual()) {
                experts.add(new Expert(entry, null, reader.read(entry), null));
            } else {
                add(entry.object("name", "file", "input", "output", "output_size"));
            }
        }
    }

    private void addAll(ManifestNode node) throws IOException {
        for (Part part : reader.readAll(node)) {
            experts.add(new Expert(node, null, part, null));
        }
    }

    private void add(ManifestNode entry) throws IOException {
        ManifestNode name = entry.field("name");
        ManifestNode input = entry.field("input");
        ManifestNode file = entry.required("file");
        Part part =
                file.json().isObject() ? reader.read(file) : reader.onnx(reader.file(file), entry);
        experts.add(
                new Expert(
                        entry,
                        name.isPresent() ? name.text() : null,
                        part,
                        input.json().isArray() ? slice(input) : null));
    }

    /** Reads a slice; null if the field is missing. */
    static Slice slice(ManifestNode node) throws BundleException {
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

    int size() {
        return experts.size();
    }

    /** The names of the experts, or their numbers. */
    List<String> names() {
        List<String> names = new ArrayList<>();
        for (Expert expert : experts) {
            names.add(expert.name == null ? String.valueOf(names.size()) : expert.name);
        }
        return names;
    }

    /** The experts that read the whole input of the layer. */
    Stream<Part> ofWholeInput() {
        return experts.stream().filter(expert -> expert.input == null).map(Expert::part);
    }

    /**
     * Writes the experts.
     *
     * @param folder the folder of the layer in the bundle
     * @param otherWidth the width of an output that neither the file nor the manifest nor another
     *     expert says; {@link io.flinkmoe.model.OnnxShapes#UNKNOWN} if nothing says it
     */
    List<ExpertSpec> write(String folder, int otherWidth, PartWriter writer) throws IOException {
        List<ExpertSpec> specs = new ArrayList<>();
        for (Expert expert : experts) {
            int width = outputWidth(expert, otherWidth);
            specs.add(
                    new ExpertSpec(
                            expert.name,
                            writer.write(
                                    expert.part,
                                    "%sexperts/%d.onnx".formatted(folder, specs.size())),
                            expert.input,
                            width));
        }
        return specs;
    }

    private int outputWidth(Expert expert, int otherWidth) throws BundleException {
        int width = expert.outputWidth();
        if (width != UNKNOWN) {
            return width;
        }
        Set<Integer> known = new HashSet<>();
        for (Expert other : experts) {
            known.add(other.outputWidth());
        }
        known.remove(UNKNOWN);
        int found = known.size() == 1 ? known.iterator().next() : otherWidth;
        if (found == UNKNOWN) {
            throw new BundleException(
                    expert.part.source(),
                    "it does not say the width of its output; set output_size of the expert in the manifest: {file: %s, output_size: WIDTH}"
                            .formatted(expert.part.source().getFileName()));
        }
        return found;
    }
}
