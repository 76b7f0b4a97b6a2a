// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * An open ONNX file with named inputs and outputs of any type. Several threads may run it at once.
 * Encoders and heads have the buffers of one thread.
 */
@Internal
public final class ColumnModel implements AutoCloseable {

    /**
     * A column and the tensor that holds it: [batch] or [batch, 1] for one value in a row, [batch,
     * width] for a vector.
     *
     * @param tensor the name of the tensor
     */
    public record Binding(Column column, String tensor) {}

    private final Path file;
    private final OrtSession session;

    private ColumnModel(Path file, OrtSession session) {
        this.file = file;
        this.session = session;
    }

    /**
     * Opens a file and checks its inputs and outputs.
     *
     * @param inputs all inputs of the file; empty for one vector
     * @param outputs the outputs that are used
     * @throws BundleException if the file cannot be opened, or has other inputs or outputs; the
     *     message names the file, the tensor, what was expected and what was found
     */
    public static ColumnModel open(Path file, List<Binding> inputs, List<Binding> outputs)
            throws BundleException {
        ColumnModel model = new ColumnModel(file, OnnxModel.session(file, 1, Device.CPU));
        try {
            if (!inputs.isEmpty()) {
                model.checkInputs(inputs);
            }
            for (Binding output : outputs) {
                model.check("output", output, model.session.getOutputInfo());
            }
            return model;
        } catch (OrtException e) {
            model.close();
            throw new BundleException(file, e.getMessage(), e);
        } catch (BundleException e) {
            model.close();
            throw e;
        }
    }

    /** The columns that the encoder of a model reads. */
    public static List<Binding> inputsOf(BundleSpec spec) {
        return spec.inputs().stream()
                .filter(InputSpec::isRead)
                .map(input -> new Binding(input.column(), input.tensorName()))
                .toList();
    }

    /** The outputs of the head of a model. */
    public static List<Binding> outputsOf(BundleSpec spec) {
        return spec.outputs().stream()
                .map(output -> new Binding(output.column(), output.tensorName()))
                .toList();
    }

    public Path file() {
        return file;
    }

    public OrtSession session() {
        return session;
    }

    /** Whether the tensor of an input has two dimensions. */
    public boolean isMatrix(String input) throws BundleException {
        return ((TensorInfo) inputs().get(input).getInfo()).getShape().length == 2;
    }

    /**
     * The input that takes vectors.
     *
     * @param name its name; null for the only one
     */
    public ModelPort input(String name, int width) throws BundleException {
        return ModelPort.of(file, "input", inputs(), name, width);
    }

    /**
     * The output that gives vectors.
     *
     * @param name its name; null for the only one
     */
    public ModelPort output(String name, int width) throws BundleException {
        try {
            return ModelPort.of(file, "output", session.getOutputInfo(), name, width);
        } catch (OrtException e) {
            throw new BundleException(file, e.getMessage(), e);
        }
    }

    private Map<String, NodeInfo> inputs() throws BundleException {
        try {
            return session.getInputInfo();
        } catch (OrtException e) {
            throw new BundleException(file, e.getMessage(), e);
        }
    }

    private void checkInputs(List<Binding> inputs) throws BundleException, OrtException {
        Map<String, NodeInfo> found = session.getInputInfo();
        Set<String> free = new HashSet<>(found.keySet());
        for (Binding input : inputs) {
            check("input", input, found);
            free.remove(input.tensor());
        }
        if (!free.isEmpty()) {
            throw new BundleException(
                    file,
                    "it has the inputs %s, and no column of the model is for %s"
                            .formatted(found.keySet(), free));
        }
    }

    private void check(String kind, Binding binding, Map<String, NodeInfo> nodes)
            throws BundleException {
        NodeInfo node = nodes.get(binding.tensor());
        if (node == null) {
            throw new BundleException(
                    file,
                    "it has no %s '%s' for the column %s; its %ss are %s"
                            .formatted(
                                    kind,
                                    binding.tensor(),
                                    binding.column().name(),
                                    kind,
                                    nodes.keySet()));
        }
        String foundText = String.valueOf(node.getInfo());
        if (node.getInfo() instanceof TensorInfo tensor) {
            long[] shape = tensor.getShape();
            foundText = "%s %s".formatted(tensor.type, Arrays.toString(shape));
            boolean isInput = kind.equals("input");
            if (tensor.type == javaType(binding.column().type())
                    && fits(shape, binding.column(), isInput)) {
                return;
            }
        }
        throw new BundleException(
                file,
                "%s '%s' is %s; the column %s %s takes %s with a dynamic batch dimension"
                        .formatted(
                                kind,
                                binding.tensor(),
                                foundText,
                                binding.column().name(),
                                binding.column().describe(),
                                expected(binding.column())));
    }

    /** Exporters declare the rows of a classifier's label as 1, whatever they are. */
    private static boolean fits(long[] shape, Column column, boolean isInput) {
        if (shape.length == 0 || shape.length > 2 || isInput && shape[0] != -1) {
            return false;
        }
        return shape.length == 1
                ? column.count() == 1
                : shape[1] == column.count() || shape[1] == -1;
    }

    private static String expected(Column column) {
        OnnxJavaType type = javaType(column.type());
        return column.count() == 1
                ? "%s [batch] or [batch, 1]".formatted(type)
                : "%s [batch, %d]".formatted(type, column.count());
    }

    public static OnnxJavaType javaType(ColumnType type) {
        return switch (type) {
            case FLOAT -> OnnxJavaType.FLOAT;
            case DOUBLE -> OnnxJavaType.DOUBLE;
            case INT32 -> OnnxJavaType.INT32;
            case INT64 -> OnnxJavaType.INT64;
            case BOOL -> OnnxJavaType.BOOL;
            case STRING -> OnnxJavaType.STRING;
        };
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw new IllegalStateException(file + ": ONNX Runtime cannot close its session", e);
        }
    }
}
