// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.proto.GraphTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * The input columns of a manifest: {@code inputs: {NAME: {type, width, tensor, missing}}}. What the
 * encoder declares need not be given, and must not be contradicted.
 */
@Internal
final class InputsManifest {

    private final ManifestNode root;

    InputsManifest(ManifestNode root) {
        this.root = root;
    }

    /**
     * The inputs that the manifest gives, or that the encoder declares, or a vector {@code x}.
     *
     * @param encoder null if there is none
     * @param width the width of the vectors that the first layer or an encoder of vectors reads
     */
    List<InputSpec> inputs(Part encoder, int width) throws BundleException {
        ManifestNode given = root.field("inputs");
        List<GraphTensor> declared =
                encoder instanceof GraphPart graph ? graph.signature().inputs() : List.of();
        if (!given.isPresent()) {
            return declared.isEmpty()
                    ? List.of(new InputSpec("x", ColumnType.FLOAT, width))
                    : declared(encoder.source(), declared);
        }
        if (!given.json().isObject() || given.json().isEmpty()) {
            throw given.wrong("an object from names to {type, width, tensor, missing}");
        }
        List<InputSpec> inputs = new ArrayList<>();
        for (String name : (Iterable<String>) given.json()::fieldNames) {
            ManifestNode node = given.field(name).object("type", "width", "tensor", "missing");
            inputs.add(input(name, node, encoder, declared, width));
        }
        for (GraphTensor tensor : declared) {
            if (inputs.stream()
                    .noneMatch(i -> i.isRead() && i.tensorName().equals(tensor.name()))) {
                throw new BundleException(
                        given.file(),
                        "inputs has no column for the input %s of %s; add %s: {}, or leave out inputs"
                                .formatted(tensor, encoder.source(), tensor.name()));
            }
        }
        return inputs;
    }

    /**
     * The width that the manifest gives for the column that the first layer reads, if there is no
     * encoder; {@link OnnxShapes#UNKNOWN} if it gives none.
     */
    int vectorWidth() throws BundleException {
        ManifestNode inputs = root.field("inputs");
        for (String name : (Iterable<String>) inputs.json()::fieldNames) {
            ManifestNode input = inputs.field(name);
            boolean isRead = !InputSpec.NO_TENSOR.equals(input.json().path("tensor").asText());
            if (isRead && input.field("width").isPresent()) {
                return input.field("width").integer();
            }
        }
        return OnnxShapes.UNKNOWN;
    }

    private static List<InputSpec> declared(Path file, List<GraphTensor> tensors)
            throws BundleException {
        List<InputSpec> inputs = new ArrayList<>();
        for (GraphTensor tensor : tensors) {
            boolean isOnlyVector = tensors.size() == 1 && tensor.type().equals("float");
            Integer width = TensorColumns.width(file, "input", tensor);
            inputs.add(
                    new InputSpec(
                            tensor.name(),
                            TensorColumns.type(file, "input", tensor),
                            isOnlyVector && width == null ? Integer.valueOf(1) : width));
        }
        return inputs;
    }

    private static InputSpec input(
            String name,
            ManifestNode node,
            Part encoder,
            List<GraphTensor> declared,
            int vectorWidth)
            throws BundleException {
        ManifestNode tensor = node.field("tensor");
        String tensorName = tensor.isPresent() ? tensor.scalar() : null;
        boolean isRead = !InputSpec.NO_TENSOR.equals(tensorName);
        ColumnType type = node.field("type").isPresent() ? type(node.field("type")) : null;
        Integer width = node.field("width").isPresent() ? node.field("width").integer() : null;
        if (isRead && encoder instanceof GraphPart graph) {
            GraphTensor found = tensor(name, tensorName, node, graph, declared);
            type = sameType(type, node, graph.source(), found);
            width = sameWidth(width, node, graph.source(), found);
            tensorName = found.name().equals(name) ? null : found.name();
        } else if (isRead) {
            width = width == null ? Integer.valueOf(vectorWidth) : width;
            type = type == null ? ColumnType.FLOAT : type;
        }
        if (type == null) {
            throw node.field("type").wrong("one of " + TensorColumns.types());
        }
        ManifestNode missing = node.field("missing");
        try {
            return new InputSpec(
                    name, type, width, tensorName, missing.isPresent() ? missing.scalar() : null);
        } catch (IllegalArgumentException e) {
            throw node.invalid(e);
        }
    }

    /** The tensor of a column: the one of its name, or the only one. */
    private static GraphTensor tensor(
            String name,
            String tensorName,
            ManifestNode node,
            GraphPart encoder,
            List<GraphTensor> declared)
            throws BundleException {
        String wanted = tensorName == null ? name : tensorName;
        Optional<GraphTensor> found =
                declared.stream().filter(tensor -> tensor.name().equals(wanted)).findFirst();
        if (found.isEmpty() && tensorName == null && declared.size() == 1) {
            return declared.get(0);
        }
        if (found.isEmpty()) {
            throw new BundleException(
                    node.file(),
                    "%s: the encoder %s has no input '%s'; it has %s; set tensor to one of them, or to none if only a rule reads the column"
                            .formatted(node.path(), encoder.source(), wanted, declared));
        }
        return found.get();
    }

    private static ColumnType sameType(
            ColumnType given, ManifestNode node, Path file, GraphTensor tensor)
            throws BundleException {
        ColumnType type = TensorColumns.type(file, "input", tensor);
        if (given != null && given != type) {
            throw node.field("type")
                    .wrong(
                            "%s, the type of the input %s of %s"
                                    .formatted(TensorColumns.text(type), tensor, file));
        }
        return type;
    }

    private static Integer sameWidth(
            Integer given, ManifestNode node, Path file, GraphTensor tensor)
            throws BundleException {
        if (TensorColumns.isOpen(tensor)) {
            return given;
        }
        Integer width = TensorColumns.width(file, "input", tensor);
        int count = width == null ? 1 : width;
        if (given != null && given != count) {
            throw node.field("width")
                    .wrong("%d, the width of the input %s of %s".formatted(count, tensor, file));
        }
        return given != null ? given : width;
    }

    private static ColumnType type(ManifestNode node) throws BundleException {
        for (ColumnType type : ColumnType.values()) {
            if (TensorColumns.text(type).equals(node.text())) {
                return type;
            }
        }
        throw node.wrong("one of " + TensorColumns.types());
    }
}
