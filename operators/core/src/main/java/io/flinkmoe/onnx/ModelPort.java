// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.TensorInfo;
import io.flinkmoe.model.BundleException;
import java.nio.DoubleBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/**
 * An input or an output of an open model: float32 or float64, [batch, width], or [batch] with the
 * width 1. ONNX Runtime reads and writes float32 rows where they are; rows of float64 are converted
 * on the way, in buffers of one call.
 *
 * @param name the name of the tensor
 * @param isDouble whether its elements are float64
 * @param isVector whether its shape is [batch]
 * @param width the number of values of a row
 */
@Internal
public record ModelPort(String name, boolean isDouble, boolean isVector, int width) {

    private static final int ANY = -1;

    /**
     * Finds the tensor of a session.
     *
     * @param kind input or output, for messages
     * @param name its name; null for the only one
     * @param width the width that it must have; any width is accepted if the model leaves it open
     * @throws BundleException if there is none, or if it has another type or shape
     */
    public static ModelPort of(
            Path file, String kind, Map<String, NodeInfo> nodes, String name, int width)
            throws BundleException {
        if (name == null ? nodes.size() != 1 : !nodes.containsKey(name)) {
            throw new BundleException(
                    file,
                    name == null
                            ? "expected one %s, found %d: %s"
                                    .formatted(kind, nodes.size(), list(nodes))
                            : "there is no %s '%s'; found %s".formatted(kind, name, list(nodes)));
        }
        NodeInfo node = name == null ? nodes.values().iterator().next() : nodes.get(name);
        if (node.getInfo() instanceof TensorInfo tensor) {
            long[] shape = tensor.getShape();
            boolean isVector = shape.length == 1;
            boolean isNumber =
                    tensor.type == OnnxJavaType.FLOAT || tensor.type == OnnxJavaType.DOUBLE;
            if (isNumber && (isVector || shape.length == 2) && shape[0] == ANY) {
                long found = isVector ? 1 : shape[1];
                if (found != ANY && found != width) {
                    throw new BundleException(
                            file,
                            "%s '%s' must be [batch, %d]; found [batch, %d]"
                                    .formatted(kind, node.getName(), width, found));
                }
                return new ModelPort(
                        node.getName(), tensor.type == OnnxJavaType.DOUBLE, isVector, width);
            }
        }
        throw new BundleException(
                file,
                "%s '%s' must be FLOAT or DOUBLE [batch, width] with a dynamic batch dimension; found %s"
                        .formatted(kind, node.getName(), describe(node)));
    }

    private static String list(Map<String, NodeInfo> nodes) {
        return nodes.values().stream()
                .map(node -> node.getName() + " " + describe(node))
                .collect(Collectors.joining(", ", "[", "]"));
    }

    private static String describe(NodeInfo node) {
        return node.getInfo() instanceof TensorInfo tensor
                ? "%s %s".formatted(tensor.type, Arrays.toString(tensor.getShape()))
                : String.valueOf(node.getInfo());
    }

    /** The shape of a number of rows. */
    public long[] shape(int rows) {
        return isVector ? new long[] {rows} : new long[] {rows, width};
    }

    /** Some rows as the input of a call; the caller closes it. */
    public OnnxTensor input(OrtEnvironment environment, DirectRows from, int row, int count)
            throws OrtException {
        if (!isDouble) {
            return from.tensor(environment, row, count, shape(count));
        }
        float[] values = new float[count * width];
        from.get(row, values, 0, count);
        double[] converted = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            converted[i] = values[i];
        }
        return OnnxTensor.createTensor(environment, DoubleBuffer.wrap(converted), shape(count));
    }

    /** Where a call writes its output; the caller closes it, after {@link #store}. */
    public OnnxTensor output(OrtEnvironment environment, DirectRows into, int row, int count)
            throws OrtException {
        return isDouble
                ? OnnxTensor.createTensor(
                        environment, DoubleBuffer.allocate(count * width), shape(count))
                : into.tensor(environment, row, count, shape(count));
    }

    /** Puts what a call has written into rows, if it is not there yet. */
    public void store(OnnxTensor output, DirectRows into, int row, int count) {
        if (isDouble) {
            DoubleBuffer found = output.getDoubleBuffer();
            float[] values = new float[count * width];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) found.get(i);
            }
            into.put(values, 0, row, count);
        }
    }
}
