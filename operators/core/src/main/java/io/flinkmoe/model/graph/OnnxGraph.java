// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import io.flinkmoe.tensor.FloatBlocks;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.tensor.Producer;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * Builds an ONNX model: float32 inputs and outputs [batch, width], constant weights, and nodes in
 * the order of their execution. It writes the protobuf wire format itself, so that no protobuf
 * library gets into users' jobs. The numbers below are the field numbers of {@code onnx.proto}.
 */
@Internal
public final class OnnxGraph implements FileContent {

    private static final int IR_VERSION = 8;
    private static final int OPSET = 17;
    // The types of tensors, then the types of attributes.
    static final int FLOAT = 1;
    static final int INT64 = 7;
    private static final int FLOAT16 = 10;
    private static final int FLOAT_ATTRIBUTE = 1;
    private static final int INT_ATTRIBUTE = 2;
    private static final int STRING_ATTRIBUTE = 3;
    private static final int INTS_ATTRIBUTE = 7;

    /** The domain of the operators that belong to ONNX Runtime, not to ONNX. */
    private static final String MICROSOFT = "com.microsoft";

    private final ProtoWriter graph = new ProtoWriter();
    private boolean needsMicrosoft;
    private String description;
    private WeightType matrices = WeightType.FLOAT32;

    public OnnxGraph(String name) {
        graph.string(2, name);
    }

    /** Stores the matrices of the linear layers that are added from now on as a type. */
    public OnnxGraph storing(WeightType type) {
        matrices = type;
        return this;
    }

    /** Says for people what the model computes; the file has it as its doc_string. */
    public OnnxGraph describedAs(String text) {
        description = text;
        return this;
    }

    /** Declares an input [batch, width]. */
    public OnnxGraph input(String name, int width) {
        graph.message(11, valueInfo(name, FLOAT, width));
        return this;
    }

    /** Declares an int64 input [batch, 1]. */
    public OnnxGraph integerInput(String name) {
        graph.message(11, valueInfo(name, INT64, 1));
        return this;
    }

    /** Declares an output [batch, width]. */
    public OnnxGraph output(String name, int width) {
        graph.message(12, valueInfo(name, FLOAT, width));
        return this;
    }

    /**
     * Adds constant weights, row-major.
     *
     * @param shape the dimensions; none for a scalar
     */
    public OnnxGraph weights(String name, float[] data, int... shape) {
        return weights(name, FloatBlocks.of(data), shape);
    }

    /** The same for weights that are read when the model is written. */
    public OnnxGraph weights(String name, FloatBlocks data, int... shape) {
        return constant(name, FLOAT, data.count(), new FloatBytes(data, WeightType.FLOAT32), shape);
    }

    /** Adds constant weights that are stored as float16, row-major. */
    public OnnxGraph halfWeights(String name, float[] data, int... shape) {
        ByteBuffer raw = littleEndian(Short.BYTES, data.length);
        for (float value : data) {
            raw.putShort(Floats.toHalf(value));
        }
        return constant(name, FLOAT16, data.length, FileContent.of(raw.array()), shape);
    }

    /** Adds a conversion to float16, for nodes whose weights are float16. */
    public OnnxGraph toHalf(String output, String input) {
        return node("Cast", output, List.of(input), Map.of("to", FLOAT16));
    }

    /** Adds a conversion back to float32. */
    public OnnxGraph toFloat(String output, String input) {
        return node("Cast", output, List.of(input), Map.of("to", FLOAT));
    }

    /**
     * Adds constant int64 values: indices and shapes, row-major.
     *
     * @param shape the dimensions; none for a scalar
     */
    public OnnxGraph integers(String name, long[] data, int... shape) {
        ByteBuffer raw = littleEndian(Long.BYTES, data.length);
        raw.asLongBuffer().put(data);
        return constant(name, INT64, data.length, FileContent.of(raw.array()), shape);
    }

    /**
     * Adds a linear layer and its weights: {@code output} [batch, out] = {@code input} weightᵀ +
     * bias.
     *
     * @param weight [out, in], row-major
     * @param bias [out], or null for none
     */
    public OnnxGraph linear(
            String output, String input, float[] weight, float[] bias, int in, int out) {
        return linear(output, input, FloatBlocks.of(weight), bias, in, out);
    }

    /** The same with a weight that is read when the model is written. */
    public OnnxGraph linear(
            String output, String input, FloatBlocks weight, float[] bias, int in, int out) {
        String name = output + ".weight";
        List<String> inputs = new ArrayList<>(List.of(input, name));
        FloatBytes content = new FloatBytes(weight, matrices);
        constant(name, matrices.onnxType, weight.count(), content, out, in);
        if (matrices != WeightType.FLOAT32) {
            toFloat(name + ".float", name);
            inputs.set(1, name + ".float");
        }
        if (bias != null) {
            inputs.add(output + ".bias");
            weights(output + ".bias", bias, out);
        }
        return node("Gemm", output, inputs, Map.of("transB", 1));
    }

    /** Adds a node with one output and no attributes. */
    public OnnxGraph node(String op, String output, List<String> inputs) {
        return node(op, output, inputs, Map.of());
    }

    /**
     * Adds a node with one output.
     *
     * @param attributes each an Integer, a Float, a String or an int[]
     */
    public OnnxGraph node(
            String op, String output, List<String> inputs, Map<String, ?> attributes) {
        return node("", op, output, inputs, attributes);
    }

    /** Adds a node with one output whose operator only ONNX Runtime has. */
    public OnnxGraph microsoftNode(
            String op, String output, List<String> inputs, Map<String, ?> attributes) {
        needsMicrosoft = true;
        return node(MICROSOFT, op, output, inputs, attributes);
    }

    private OnnxGraph node(
            String domain,
            String op,
            String output,
            List<String> inputs,
            Map<String, ?> attributes) {
        ProtoWriter node = new ProtoWriter();
        inputs.forEach(input -> node.string(1, input));
        node.string(2, output).string(3, output).string(4, op);
        attributes.forEach((name, value) -> node.message(5, attribute(name, value)));
        if (!domain.isEmpty()) {
            node.string(7, domain);
        }
        graph.message(1, node);
        return this;
    }

    /** The bytes of the model. */
    public byte[] toBytes() {
        return model().toBytes();
    }

    /**
     * The size of the file.
     *
     * @throws IllegalArgumentException if it is larger than an ONNX file may be
     */
    @Override
    public long size() {
        return model().size();
    }

    @Override
    public void writeTo(OutputStream out) throws IOException {
        model().writeTo(out);
    }

    /** Writes the model to a file; an existing file is replaced. */
    public void writeTo(Path file) throws IOException {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
            writeTo(out);
        }
    }

    private ProtoWriter model() {
        ProtoWriter model = new ProtoWriter().varint(1, IR_VERSION).string(2, Producer.NAME);
        if (description != null) {
            model.string(6, description);
        }
        model.message(7, graph).message(8, new ProtoWriter().string(1, "").varint(2, OPSET));
        if (needsMicrosoft) {
            model.message(8, new ProtoWriter().string(1, MICROSOFT).varint(2, 1));
        }
        return model;
    }

    private OnnxGraph constant(String name, int type, long values, FileContent raw, int... shape) {
        long elements = 1;
        ProtoWriter tensor = new ProtoWriter();
        for (int dim : shape) {
            elements *= dim;
            tensor.varint(1, dim);
        }
        if (elements != values) {
            throw new IllegalArgumentException(
                    "weights %s has %d values; expected %d according to its shape"
                            .formatted(name, values, elements));
        }
        graph.message(5, tensor.varint(2, type).string(8, name).bytes(9, raw));
        return this;
    }

    private static ByteBuffer littleEndian(int bytes, int values) {
        return ByteBuffer.allocate(Math.multiplyExact(bytes, values))
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    private static ProtoWriter valueInfo(String name, int type, int width) {
        ProtoWriter shape =
                new ProtoWriter()
                        .message(1, new ProtoWriter().string(2, "batch"))
                        .message(1, new ProtoWriter().varint(1, width));
        ProtoWriter tensorType = new ProtoWriter().varint(1, type).message(2, shape);
        return new ProtoWriter()
                .string(1, name)
                .message(2, new ProtoWriter().message(1, tensorType));
    }

    private static ProtoWriter attribute(String name, Object value) {
        ProtoWriter attribute = new ProtoWriter().string(1, name);
        if (value instanceof Integer i) {
            return attribute.varint(3, i).varint(20, INT_ATTRIBUTE);
        } else if (value instanceof Float f) {
            return attribute.float32(2, f).varint(20, FLOAT_ATTRIBUTE);
        } else if (value instanceof String s) {
            return attribute.string(4, s).varint(20, STRING_ATTRIBUTE);
        } else if (value instanceof int[] ints) {
            for (int i : ints) {
                attribute.varint(8, i);
            }
            return attribute.varint(20, INTS_ATTRIBUTE);
        }
        throw new IllegalArgumentException(
                "attribute %s is a %s; allowed: Integer, Float, String, int[]"
                        .formatted(name, value.getClass().getSimpleName()));
    }
}
