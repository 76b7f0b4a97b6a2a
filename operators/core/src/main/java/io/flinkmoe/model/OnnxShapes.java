// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.model.proto.ExternalData;
import io.flinkmoe.model.proto.GraphSignature;
import io.flinkmoe.model.proto.GraphTensor;
import io.flinkmoe.model.proto.ProtoReader;
import io.flinkmoe.tensor.ForeignFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/**
 * The input and the output of an ONNX file that a bundle uses, float or double [batch, width]; a
 * tensor [batch] has the width 1. They are read without ONNX Runtime.
 *
 * @param input the name of the input
 * @param inputWidth its width, or {@link #UNKNOWN} if the file does not fix it
 * @param output the name of the output
 * @param outputWidth its width, or {@link #UNKNOWN} if the file does not fix it
 */
@Internal
public record OnnxShapes(String input, int inputWidth, String output, int outputWidth) {
    public static final int UNKNOWN = -1;

    private static final Set<String> TYPES = Set.of("float", "double");
    private static final int MOST_LISTED = 8;
    private static final String ZIPMAP =
            "; a sequence of maps is what skl2onnx makes by default: export with options={id(model): {'zipmap': False}}";

    /** Reads a file with one input and one output. */
    public static OnnxShapes read(Path file) throws IOException {
        return read(file, null, null);
    }

    /**
     * Reads the graph of a file of a bundle, without its weights.
     *
     * @param input the name of the input; null for the only one
     * @param output the name of the output; null for the only one
     * @throws BundleException if the file is not an ONNX model, stores tensors in a separate file,
     *     or has other inputs or outputs than the models of a bundle may have
     */
    public static OnnxShapes read(Path file, String input, String output) throws IOException {
        ByteBuffer bytes = map(file);
        try {
            if (ExternalData.isIn(new ProtoReader(bytes))) {
                throw new BundleException(
                        file,
                        "its weights are in a separate file (ONNX external data), but a bundle has one file per model; save it with onnx.save_model(onnx.load(FILE), OUT, save_as_external_data=False)");
            }
        } catch (ProtoReader.MalformedException e) {
            throw damaged(file, e);
        }
        return of(file, bytes, input, output);
    }

    /** The same for a file that becomes a part of a bundle: weights may be in a separate file. */
    public static OnnxShapes readPart(Path file, String input, String output) throws IOException {
        return of(file, map(file), input, output);
    }

    /** Reads all inputs and outputs of a file that becomes a part of a bundle. */
    public static GraphSignature signature(Path file) throws IOException {
        try {
            return GraphSignature.read(new ProtoReader(map(file)));
        } catch (ProtoReader.MalformedException e) {
            throw damaged(file, e);
        }
    }

    private static OnnxShapes of(Path file, ByteBuffer bytes, String input, String output)
            throws BundleException {
        try {
            GraphSignature signature = GraphSignature.read(new ProtoReader(bytes));
            if (signature.inputs().size() > 1) {
                throw new BundleException(
                        file,
                        "it has %d inputs, %s; expected exactly one, float [batch, width]"
                                .formatted(signature.inputs().size(), list(signature.inputs())));
            }
            GraphTensor in = chosen(file, "input", input, signature.inputs());
            GraphTensor out = chosen(file, "output", output, signature.outputs());
            return new OnnxShapes(
                    in.name(), width(file, "input", in), out.name(), width(file, "output", out));
        } catch (ProtoReader.MalformedException e) {
            throw damaged(file, e);
        }
    }

    private static ByteBuffer map(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new BundleException(file, FileErrors.notAFile(file) + "; pass an ONNX model");
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() > Integer.MAX_VALUE) {
                throw new BundleException(
                        file,
                        "it has %d bytes; an ONNX file must be smaller than 2 GiB"
                                .formatted(channel.size()));
            }
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
        }
    }

    private static BundleException damaged(Path file, ProtoReader.MalformedException e) {
        String reason = "it is not an ONNX model, or it is damaged: " + e.getMessage();
        return new BundleException(file, ForeignFile.kindOf(file).orElse(reason), e);
    }

    /**
     * Returns the tensor of a name.
     *
     * @param name null for the only one
     * @throws BundleException if there is none, or a name is needed; the message lists all
     */
    public static GraphTensor chosen(Path file, String kind, String name, List<GraphTensor> tensors)
            throws BundleException {
        if (name == null && tensors.size() == 1) {
            return tensors.get(0);
        }
        for (GraphTensor tensor : tensors) {
            if (tensor.name().equals(name)) {
                return tensor;
            }
        }
        String expected =
                name != null
                        ? "there is no %s '%s' among them".formatted(kind, name)
                        : tensors.isEmpty()
                                ? "expected exactly one, float [batch, width]"
                                : "name the one to use: {file: %s, %s: NAME} in a manifest%s"
                                        .formatted(
                                                file.getFileName(),
                                                kind,
                                                kind.equals("output")
                                                        ? ", --router-output NAME or --expert-output NAME without one"
                                                        : "");
        throw new BundleException(
                file,
                "it has %d %s%s, %s; %s%s"
                        .formatted(
                                tensors.size(),
                                kind,
                                tensors.size() == 1 ? "" : "s",
                                list(tensors),
                                expected,
                                tensors.stream().allMatch(GraphTensor::isTensor) ? "" : ZIPMAP));
    }

    /**
     * @throws BundleException if it is a sequence or a map, with the remedy
     */
    public static void requireTensor(Path file, String kind, GraphTensor tensor)
            throws BundleException {
        if (!tensor.isTensor()) {
            throw new BundleException(
                    file, "%s %s is not a tensor%s".formatted(kind, tensor, ZIPMAP));
        }
    }

    private static String list(List<GraphTensor> tensors) {
        return tensors.stream()
                .limit(MOST_LISTED)
                .map(GraphTensor::toString)
                .collect(Collectors.joining(", ", "[", "]"));
    }

    /**
     * Returns the width of a tensor of vectors, or {@link #UNKNOWN}.
     *
     * @throws BundleException if it is not float or double, [batch, width] or [batch]
     */
    public static int width(Path file, String kind, GraphTensor tensor) throws BundleException {
        String what = "%s %s is %s".formatted(kind, tensor.name(), tensor.declared());
        if (!TYPES.contains(tensor.type())) {
            throw new BundleException(
                    file,
                    "%s; expected float or double [batch, width]%s"
                            .formatted(what, tensor.isTensor() ? "" : ZIPMAP));
        }
        if (tensor.shape() == null) {
            return UNKNOWN;
        }
        int rank = tensor.shape().size();
        if (rank != 1 && rank != 2) {
            throw new BundleException(
                    file,
                    "%s; expected two dimensions, [batch, width], or [batch]".formatted(what));
        }
        long batch = tensor.shape().get(0).size();
        if (batch != GraphTensor.FREE) {
            throw new BundleException(
                    file,
                    "%s, with a fixed batch size of %d; expected a free one: export the model with a dynamic first dimension: dynamic_shapes=({0: 'batch'},) with dynamo=True, dynamic_axes={NAME: {0: 'batch'}} without"
                            .formatted(what, batch));
        }
        long width = rank == 1 ? 1 : tensor.shape().get(1).size();
        if (width == 0 || width > Integer.MAX_VALUE) {
            throw new BundleException(
                    file, "%s; allowed: widths of 1 to %d".formatted(what, Integer.MAX_VALUE));
        }
        return (int) width;
    }
}
