// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.proto.GraphTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;

/** What the tensor of a graph is as a column. */
@Internal
final class TensorColumns {

    private TensorColumns() {}

    /** Whether the file leaves the width of a tensor [batch, width] open. */
    static boolean isOpen(GraphTensor tensor) {
        return tensor.shape() == null
                || tensor.shape().size() == 2 && tensor.shape().get(1).size() == GraphTensor.FREE;
    }

    /** The type of a tensor. */
    static ColumnType type(Path file, String kind, GraphTensor tensor) throws BundleException {
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

    /** A type as manifests and files name it. */
    static String text(ColumnType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    /** All types. */
    static List<String> types() {
        List<String> types = new ArrayList<>();
        for (ColumnType type : ColumnType.values()) {
            types.add(text(type));
        }
        return types;
    }

    /** The width of a tensor [batch, width]; null for [batch] and [batch, 1]. */
    static Integer width(Path file, String kind, GraphTensor tensor) throws BundleException {
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
                    "input %s has a fixed batch size of %d; expected a free one: export the model with a dynamic first dimension: dynamic_shapes with dynamo=True, dynamic_axes without"
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
