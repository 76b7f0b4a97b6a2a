// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.OutputSpec;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.proto.GraphTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * The input columns and the outputs of a manifest: {@code inputs: {NAME: {type, width, tensor,
 * missing}}} and {@code head: {file: FILE, outputs: {NAME: TENSOR}}}. What encoder and head declare
 * need not be given, and must not be contradicted.
 */
@Internal
final class ColumnsManifest {

    private final ManifestNode root;

    ColumnsManifest(ManifestNode root) {
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

    private static List<InputSpec> declared(Path file, List<GraphTensor> tensors)
            throws BundleException {
        List<InputSpec> inputs = new ArrayList<>();
        for (GraphTensor tensor : tensors) {
            boolean isOnlyVector = tensors.size() == 1 && tensor.type().equals("float");
            Integer width = width(file, "input", tensor);
            inputs.add(
                    new InputSpec(
                            tensor.name(),
                            type(file, "input", tensor),
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
        } else if (isRead && width == null) {
            width = vectorWidth;
            type = type == null ? ColumnType.FLOAT : type;
        }
        if (type == null) {
            throw node.field("type").wrong("one of " + types());
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
        ColumnType type = type(file, "input", tensor);
        if (given != null && given != type) {
            throw node.field("type")
                    .wrong(
                            "%s, the type of the input %s of %s"
                                    .formatted(text(type), tensor, file));
        }
        return type;
    }

    private static Integer sameWidth(
            Integer given, ManifestNode node, Path file, GraphTensor tensor)
            throws BundleException {
        boolean isOpen = tensor.shape() == null || isOpen(tensor);
        if (isOpen) {
            return given;
        }
        Integer width = width(file, "input", tensor);
        int count = width == null ? 1 : width;
        if (given != null && given != count) {
            throw node.field("width")
                    .wrong("%d, the width of the input %s of %s".formatted(count, tensor, file));
        }
        return given != null ? given : width;
    }

    private static boolean isOpen(GraphTensor tensor) {
        return tensor.shape().size() == 2 && tensor.shape().get(1).size() == GraphTensor.FREE;
    }

    /**
     * The outputs of the head: those that the manifest gives, or all.
     *
     * @param head null for a head of layers of a state dict, which has one output
     */
    List<OutputSpec> outputs(GraphPart head) throws BundleException {
        ManifestNode given = root.field("head").field("outputs");
        List<GraphTensor> declared = head.signature().outputs();
        List<OutputSpec> outputs = new ArrayList<>();
        if (!given.isPresent()) {
            List<GraphTensor> used =
                    head.output() == null ? declared : List.of(head.chosenOutput());
            for (GraphTensor tensor : used) {
                outputs.add(output(tensor.name(), head, tensor, null));
            }
        } else {
            if (!given.json().isObject() || given.json().isEmpty()) {
                throw given.wrong("an object from names to tensors of the head");
            }
            for (String name : (Iterable<String>) given.json()::fieldNames) {
                ManifestNode node = given.field(name);
                boolean isObject = node.json().isObject();
                String tensor =
                        isObject
                                ? node.object("tensor", "width").required("tensor").scalar()
                                : node.scalar();
                GraphTensor found = OnnxShapes.chosen(head.source(), "output", tensor, declared);
                ManifestNode width = node.field("width");
                outputs.add(
                        output(
                                name,
                                head,
                                found,
                                isObject && width.isPresent() ? width.integer() : null));
            }
        }
        boolean isOne = outputs.size() == 1 && outputs.get(0).type() == ColumnType.FLOAT;
        if (isOne && outputs.get(0).width() == null) { // the answer is a vector of one value
            OutputSpec only = outputs.get(0);
            return List.of(new OutputSpec(only.name(), only.type(), 1, only.tensor()));
        }
        return outputs;
    }

    private static OutputSpec output(String name, GraphPart head, GraphTensor tensor, Integer given)
            throws BundleException {
        Path file = head.source();
        ColumnType type = type(file, "output", tensor);
        boolean isOpen = tensor.shape() == null || isOpen(tensor);
        if (isOpen && given == null) {
            throw new BundleException(
                    file,
                    "output %s does not fix its width; give it in the manifest: head: {outputs: {NAME: {tensor: '%s', width: WIDTH}}}"
                            .formatted(tensor, tensor.name()));
        }
        return new OutputSpec(
                name,
                type,
                isOpen ? given : width(file, "output", tensor),
                tensor.name().equals(name) && head.signature().outputs().size() == 1
                        ? null
                        : tensor.name());
    }

    private static ColumnType type(Path file, String kind, GraphTensor tensor)
            throws BundleException {
        for (ColumnType type : ColumnType.values()) {
            if (text(type).equals(tensor.type())) {
                return type;
            }
        }
        OnnxShapes.requireTensor(file, kind, tensor);
        throw new BundleException(
                file,
                "%s %s has a type that no column has; allowed: %s"
                        .formatted(kind, tensor, types()));
    }

    private static ColumnType type(ManifestNode node) throws BundleException {
        for (ColumnType type : ColumnType.values()) {
            if (text(type).equals(node.text())) {
                return type;
            }
        }
        throw node.wrong("one of " + types());
    }

    private static String text(ColumnType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    private static List<String> types() {
        List<String> types = new ArrayList<>();
        for (ColumnType type : ColumnType.values()) {
            types.add(text(type));
        }
        return types;
    }

    /** The width of a tensor [batch, width]; null for [batch] and [batch, 1]. */
    private static Integer width(Path file, String kind, GraphTensor tensor)
            throws BundleException {
        int rank = tensor.shape() == null ? 0 : tensor.shape().size();
        if (rank != 1 && rank != 2) {
            throw new BundleException(
                    file,
                    "%s %s has %d dimensions; expected [batch] or [batch, width]"
                            .formatted(kind, tensor, rank));
        }
        if (kind.equals("input") && tensor.shape().get(0).size() != GraphTensor.FREE) {
            throw new BundleException(
                    file,
                    "input %s has a fixed batch size of %d; export the model with a dynamic first dimension: dynamic_shapes with dynamo=True, dynamic_axes without"
                            .formatted(tensor, tensor.shape().get(0).size()));
        }
        long width = rank == 1 ? 1 : tensor.shape().get(1).size();
        if (width == GraphTensor.FREE) {
            throw new BundleException(
                    file,
                    "%s %s does not fix its width; give it in the manifest: inputs: {%s: {width: WIDTH}}"
                            .formatted(kind, tensor, tensor.name()));
        }
        return width == 1 ? null : Integer.valueOf(Math.toIntExact(width));
    }
}
