// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.graph.Activation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * Reads the parts that a manifest names: an ONNX file by its path, or as {@code {file: FILE, input:
 * NAME, output: NAME}}, or layers of a state dict: {@code {state_dict: FILE, linears: [NAME, …],
 * activations: [relu, none]}}. Paths are relative to the folder.
 */
@Internal
final class PartReader implements AutoCloseable {

    private static final Pattern PICKLE = Pattern.compile("(?i).*\\.(pt|pth|bin|ckpt|pkl)");

    private static final Pattern NUMBER = Pattern.compile("(\\d+)\\D*$");

    private final Path folder;
    private final Map<Path, StateDict> dicts = new HashMap<>();

    PartReader(Path folder) {
        this.folder = folder;
    }

    /** Reads one part. */
    Part read(ManifestNode node) throws IOException {
        if (isState(node)) {
            return layers(node.object("state_dict", "linears", "activations"), null);
        }
        ManifestNode file = node;
        if (node.json().isObject()) {
            file = node.object("file", "input", "output").required("file");
        }
        return onnx(file(file), node);
    }

    /** Reads an encoder, whose inputs may have any type. */
    Part readEncoder(ManifestNode node) throws IOException {
        return isState(node)
                ? read(node)
                : GraphPart.encoder(graphFile(node), tensor(node, "input"), tensor(node, "output"));
    }

    /** Reads a head, whose outputs may have any type. */
    Part readHead(ManifestNode node) throws IOException {
        return isState(node)
                ? read(node)
                : GraphPart.head(graphFile(node), tensor(node, "input"), tensor(node, "output"));
    }

    private Path graphFile(ManifestNode node) throws BundleException {
        return file(
                node.json().isObject()
                        ? node.object("file", "input", "output", "outputs").required("file")
                        : node);
    }

    /**
     * Reads experts: a pattern such as {@code experts/*.onnx}, which may be the {@code file} of an
     * object that names tensors, or layers of a state dict.
     */
    List<Part> readAll(ManifestNode node) throws IOException {
        List<Part> parts = new ArrayList<>();
        if (!isState(node)) {
            ManifestNode pattern = node;
            if (node.json().isObject()) {
                pattern = node.object("file", "input", "output", "output_size").required("file");
            }
            for (Path file : matching(pattern)) {
                parts.add(onnx(file, node));
            }
            return parts;
        }
        node.object("state_dict", "count", "linears", "activations");
        for (String number : numbers(node)) {
            parts.add(layers(node, number));
        }
        return parts;
    }

    /** Whether a value describes layers of a state dict. */
    static boolean isState(ManifestNode node) {
        return node.json().has("state_dict");
    }

    /** Whether the layers of a state dict are those of several experts. */
    static boolean isOfSeveral(ManifestNode node) throws BundleException {
        return ExpertNumbers.areIn(linears(node).get(0).text());
    }

    /**
     * Reads an ONNX file.
     *
     * @param tensors the value that may name its tensors
     */
    Part onnx(Path file, ManifestNode tensors) throws IOException {
        return Part.Onnx.read(file, tensor(tensors, "input"), tensor(tensors, "output"));
    }

    /** The name of a tensor. YAML reads a name such as 17 as a number. */
    private static String tensor(ManifestNode node, String field) throws BundleException {
        ManifestNode name = node.field(field);
        boolean isSlice = field.equals("input") && name.json().isArray();
        return !name.isPresent() || isSlice
                ? null
                : name.json().isInt() ? name.json().asText() : name.text();
    }

    /** The numbers of the experts in a state dict. */
    private List<String> numbers(ManifestNode node) throws IOException {
        StateDict dict = dict(node.required("state_dict"));
        List<ManifestNode> names = linears(node);
        for (ManifestNode name : names) {
            if (!ExpertNumbers.areIn(name.text())) {
                throw name.wrong("a name with {e} for the number of the expert");
            }
        }
        List<String> found = ExpertNumbers.find(dict, names.get(0).text()).texts();
        ManifestNode count = node.field("count");
        if (!count.isPresent()) {
            return found;
        }
        if (count.integer() < 1 || count.integer() > found.size()) {
            throw count.wrong("1 to %d, the experts of %s".formatted(found.size(), dict.path()));
        }
        return found.subList(0, count.integer());
    }

    private static List<ManifestNode> linears(ManifestNode node) throws BundleException {
        List<ManifestNode> names = node.required("linears").items();
        if (names.isEmpty()) {
            throw node.field("linears").wrong("the name of at least one linear layer");
        }
        return names;
    }

    /**
     * @param number the number of the expert; null for a part that is none of several
     */
    private Part layers(ManifestNode node, String number) throws IOException {
        StateDict dict = dict(node.required("state_dict"));
        List<ManifestNode> names = linears(node);
        List<ManifestNode> activations = node.required("activations").items();
        if (activations.size() != names.size()) {
            throw node.field("activations")
                    .wrong("one activation per linear layer, %d".formatted(names.size()));
        }
        List<StateDict.Linear> found = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            String name = names.get(i).text();
            found.add(
                    dict.linear(
                            number == null ? name : ExpertNumbers.in(name, number),
                            activation(activations.get(i))));
        }
        dict.requireChain(found);
        return new Part.Layers(dict, found);
    }

    private static Activation activation(ManifestNode node) throws BundleException {
        try {
            return Activation.valueOf(node.text().toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw node.wrong(
                    "one of "
                            + Stream.of(Activation.values())
                                    .map(a -> a.name().toLowerCase(Locale.ROOT))
                                    .toList());
        }
    }

    private StateDict dict(ManifestNode node) throws IOException {
        Path file = file(node);
        if (PICKLE.matcher(file.getFileName().toString()).matches()) {
            throw new BundleException(
                    file,
                    "it is a pickle of PyTorch, which can run any code when it is read; expected a safetensors file, which these two lines write: from safetensors.torch import save_file; save_file(torch.load('%s', weights_only=True), 'model.safetensors')"
                            .formatted(file.getFileName()));
        }
        StateDict open = dicts.get(file);
        if (open == null) {
            open = new StateDict(file);
            dicts.put(file, open);
        }
        return open;
    }

    Path file(ManifestNode node) throws BundleException {
        Path file = folder.resolve(node.text());
        if (!Files.isRegularFile(file)) {
            throw new BundleException(
                    node.file(),
                    "%s is '%s'; there is no file %s"
                            .formatted(node.path(), node.json().asText(), file));
        }
        return file;
    }

    /** The files that a pattern names, by the last number in their names: 2 before 10. */
    private List<Path> matching(ManifestNode node) throws IOException {
        String pattern = node.text();
        int slash = pattern.lastIndexOf('/');
        Path in = folder.resolve(slash < 0 ? "" : pattern.substring(0, slash));
        String[] around = pattern.substring(slash + 1).split("\\*", -1);
        if (around.length != 2) {
            throw node.wrong("a pattern with one *, such as experts/*.onnx, or a list");
        }
        List<Path> files;
        try (Stream<Path> all = Files.isDirectory(in) ? Files.list(in) : Stream.empty()) {
            files =
                    all.filter(file -> matches(file.getFileName().toString(), around))
                            .sorted(Comparator.comparingLong(PartReader::number))
                            .toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        if (files.isEmpty()) {
            throw new BundleException(
                    node.file(),
                    "%s is '%s'; there is no such file in %s".formatted(node.path(), pattern, in));
        }
        for (Path file : files) {
            if (number(file) < 0) {
                throw new BundleException(
                        file,
                        "its name has no number, so its place among the experts of '%s' is unknown; list the experts instead"
                                .formatted(pattern));
            }
        }
        return files;
    }

    private static boolean matches(String name, String[] around) {
        return name.length() >= around[0].length() + around[1].length()
                && name.startsWith(around[0])
                && name.endsWith(around[1]);
    }

    private static long number(Path file) {
        String name = file.getFileName().toString();
        int dot = name.lastIndexOf('.');
        Matcher matcher = NUMBER.matcher(dot < 0 ? name : name.substring(0, dot));
        return matcher.find() && matcher.group(1).length() < 10
                ? Long.parseLong(matcher.group(1))
                : -1;
    }

    /** The tensors of state dicts that no part uses. */
    List<String> unused() {
        return dicts.values().stream().flatMap(dict -> dict.unused().stream()).sorted().toList();
    }

    @Override
    public void close() throws IOException {
        for (StateDict dict : dicts.values()) {
            dict.close();
        }
    }
}
