// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.tensor.ForeignFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * The input and the output of an ONNX file that has one of each, both float32 [batch, width]. They
 * are read without ONNX Runtime. The numbers in the code are the field numbers of {@code
 * onnx.proto}.
 *
 * @param input the name of the input
 * @param inputWidth its width, or {@link #UNKNOWN} if the file does not fix it
 * @param output the name of the output
 * @param outputWidth its width, or {@link #UNKNOWN} if the file does not fix it
 */
@Internal
public record OnnxShapes(String input, int inputWidth, String output, int outputWidth) {
    public static final int UNKNOWN = -1;
    private static final int FLOAT = 1;

    /** An input or output of the graph. A dimension that is not fixed is {@link #UNKNOWN}. */
    private record Value(String name, long type, List<Long> shape) {}

    /**
     * Reads the graph of a file, without its weights.
     *
     * @throws BundleException if the file is not an ONNX model, stores tensors in a separate file,
     *     or has other inputs or outputs than the models of a bundle may have
     */
    public static OnnxShapes read(Path file) throws IOException {
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
            ByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            if (ExternalData.isIn(new ProtoReader(bytes))) {
                throw new BundleException(
                        file,
                        "its weights are in a separate file (ONNX external data), but a bundle has one file per model; save it with onnx.save_model(onnx.load(FILE), OUT, save_as_external_data=False)");
            }
            return readModel(file, new ProtoReader(bytes));
        } catch (ProtoReader.MalformedException e) {
            String reason = "it is not an ONNX model, or it is damaged: " + e.getMessage();
            throw new BundleException(file, ForeignFile.kindOf(file).orElse(reason), e);
        }
    }

    private static OnnxShapes readModel(Path file, ProtoReader model)
            throws BundleException, ProtoReader.MalformedException {
        ProtoReader graph = null;
        for (int field; (field = model.nextField()) != 0; ) {
            if (field == 7 && graph == null) {
                graph = model.message();
            } else if (field == 7) { // Protobuf would merge them.
                throw new ProtoReader.MalformedException("the model has two graphs");
            } else {
                model.skip();
            }
        }
        if (graph == null) {
            throw new ProtoReader.MalformedException("the model has no graph");
        }
        Set<String> weights = new HashSet<>();
        List<Value> inputs = new ArrayList<>();
        List<Value> outputs = new ArrayList<>();
        for (int field; (field = graph.nextField()) != 0; ) {
            switch (field) {
                case 5 -> weights.add(weightsName(graph.message()));
                case 11 -> inputs.add(value(graph.message()));
                case 12 -> outputs.add(value(graph.message()));
                default -> graph.skip();
            }
        }
        // Files before IR version 4 list their weights among the inputs.
        inputs.removeIf(input -> weights.contains(input.name));
        Value input = only(file, "input", inputs);
        Value output = only(file, "output", outputs);
        return new OnnxShapes(
                input.name,
                width(file, "input", input),
                output.name,
                width(file, "output", output));
    }

    private static String weightsName(ProtoReader tensor) throws ProtoReader.MalformedException {
        String name = "";
        for (int field; (field = tensor.nextField()) != 0; ) {
            if (field == 8) {
                name = tensor.string();
            } else {
                tensor.skip();
            }
        }
        return name;
    }

    private static Value value(ProtoReader info) throws ProtoReader.MalformedException {
        Value value = new Value("", 0, List.of());
        for (int field; (field = info.nextField()) != 0; ) {
            if (field == 1) {
                value = new Value(info.string(), value.type, value.shape);
            } else if (field == 2) {
                value = withType(value.name, info.message());
            } else {
                info.skip();
            }
        }
        return value;
    }

    private static Value withType(String name, ProtoReader type)
            throws ProtoReader.MalformedException {
        long elementType = 0;
        List<Long> shape = List.of();
        for (int field; (field = type.nextField()) != 0; ) {
            if (field != 1) { // not a tensor: a sequence, a map
                type.skip();
                continue;
            }
            ProtoReader tensor = type.message();
            for (int part; (part = tensor.nextField()) != 0; ) {
                switch (part) {
                    case 1 -> elementType = tensor.varint();
                    case 2 -> shape = shape(tensor.message());
                    default -> tensor.skip();
                }
            }
        }
        return new Value(name, elementType, shape);
    }

    private static List<Long> shape(ProtoReader shape) throws ProtoReader.MalformedException {
        List<Long> dims = new ArrayList<>();
        for (int field; (field = shape.nextField()) != 0; ) {
            if (field != 1) {
                shape.skip();
                continue;
            }
            long size = UNKNOWN;
            ProtoReader dim = shape.message();
            for (int part; (part = dim.nextField()) != 0; ) {
                if (part == 1) {
                    size = Math.max(UNKNOWN, dim.varint());
                } else {
                    dim.skip();
                }
            }
            dims.add(size);
        }
        return dims;
    }

    private static Value only(Path file, String kind, List<Value> values) throws BundleException {
        if (values.size() != 1) {
            throw new BundleException(
                    file,
                    "it has %d %ss, %s; expected exactly one, float32 [batch, width]"
                            .formatted(
                                    values.size(),
                                    kind,
                                    values.stream().limit(8).map(Value::name).toList()));
        }
        return values.get(0);
    }

    private static int width(Path file, String kind, Value value) throws BundleException {
        String what = kind + " " + value.name;
        if (value.type != FLOAT) {
            throw new BundleException(
                    file,
                    "%s has the ONNX element type %d; expected 1, float32"
                            .formatted(what, value.type));
        }
        if (value.shape.size() != 2) {
            throw new BundleException(
                    file,
                    "%s has %d dimensions; expected two, [batch, width]"
                            .formatted(what, value.shape.size()));
        }
        if (value.shape.get(0) != UNKNOWN) {
            throw new BundleException(
                    file,
                    "%s has a fixed batch size of %d; export the model with a dynamic first dimension"
                            .formatted(what, value.shape.get(0)));
        }
        long width = value.shape.get(1);
        if (width == 0 || width > Integer.MAX_VALUE) {
            throw new BundleException(
                    file,
                    "%s is [batch, %d]; allowed: 1 to %d"
                            .formatted(what, width, Integer.MAX_VALUE));
        }
        return (int) width;
    }
}
