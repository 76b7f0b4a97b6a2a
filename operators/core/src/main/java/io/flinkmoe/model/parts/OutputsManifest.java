// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.OutputSpec;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.proto.GraphTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The outputs of a manifest: {@code head: {file: FILE, outputs: {NAME: TENSOR}}}. What the head
 * declares need not be given, and must not be contradicted.
 *
 * @param node the value of {@code head}
 */
@Internal
record OutputsManifest(ManifestNode node) {

    /**
     * The outputs of the head: those that the manifest gives, or all.
     *
     * @param head null for a head of layers of a state dict, which has one output
     */
    List<OutputSpec> outputs(GraphPart head) throws BundleException {
        ManifestNode given = node.field("outputs");
        List<GraphTensor> declared = head.signature().outputs();
        List<OutputSpec> outputs = new ArrayList<>();
        if (!given.isPresent()) {
            List<GraphTensor> used =
                    head.output() == null ? declared : List.of(head.chosenOutput());
            for (GraphTensor tensor : used) {
                outputs.add(output(tensor.name(), head, tensor, null));
            }
        } else {
            if (head.output() != null) {
                throw node.field("output").wrong("nothing, as there are outputs");
            }
            if (!given.json().isObject() || given.json().isEmpty()) {
                throw given.wrong("an object from names to tensors of the head");
            }
            for (String name : (Iterable<String>) given.json()::fieldNames) {
                ManifestNode output = given.field(name);
                boolean isObject = output.json().isObject();
                String tensor =
                        isObject
                                ? output.object("tensor", "width").required("tensor").scalar()
                                : output.scalar();
                GraphTensor found = OnnxShapes.chosen(head.source(), "output", tensor, declared);
                ManifestNode width = output.field("width");
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
        ColumnType type = TensorColumns.type(file, "output", tensor);
        boolean isOpen = TensorColumns.isOpen(tensor);
        if (isOpen && given == null) {
            throw new BundleException(
                    file,
                    "output %s does not fix its width; give it in the manifest: head: {outputs: {NAME: {tensor: '%s', width: WIDTH}}}"
                            .formatted(tensor, tensor.name()));
        }
        return new OutputSpec(
                name,
                type,
                isOpen ? given : TensorColumns.width(file, "output", tensor),
                tensor.name().equals(name) && head.signature().outputs().size() == 1
                        ? null
                        : tensor.name());
    }
}
