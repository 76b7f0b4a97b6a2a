// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.proto;

import io.flinkmoe.model.proto.ProtoReader.MalformedException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/**
 * An input or an output of an ONNX graph, as the file declares it. The numbers in the code are the
 * field numbers of {@code onnx.proto}.
 *
 * @param name the name
 * @param type the type of an element such as {@code float} or {@code int64}; of what is not a
 *     tensor the whole type, such as {@code sequence(map(int64, float))}
 * @param shape the dimensions; null if the file does not say how many there are, or if it is not a
 *     tensor
 */
@Internal
public record GraphTensor(String name, String type, List<Dim> shape) {

    /** A dimension that the file does not fix. */
    public static final long FREE = -1;

    /** By the number of the element type. */
    private static final String[] TYPES = {
        "undefined",
        "float",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "int32",
        "int64",
        "string",
        "bool",
        "float16",
        "double",
        "uint32",
        "uint64",
        "complex64",
        "complex128",
        "bfloat16"
    };

    /** Types nest: sequences of maps of tensors. */
    private static final int MAX_DEPTH = 8;

    /**
     * A dimension.
     *
     * @param size its size, or {@link #FREE}
     * @param symbol the name of a free dimension, or null
     */
    public record Dim(long size, String symbol) {
        @Override
        public String toString() {
            return size != FREE ? String.valueOf(size) : symbol == null ? "?" : symbol;
        }
    }

    /** Whether it is a tensor. */
    public boolean isTensor() {
        return !type.contains("(");
    }

    /** For messages: name, type and shape, such as {@code relu float [batch, 12]}. */
    @Override
    public String toString() {
        return name + " " + declared();
    }

    /** Type and shape. */
    public String declared() {
        return shape == null
                ? type
                : shape.stream()
                        .map(Dim::toString)
                        .collect(Collectors.joining(", ", type + " [", "]"));
    }

    /** Reads a {@code ValueInfoProto}. */
    static GraphTensor read(ProtoReader info) throws MalformedException {
        GraphTensor value = new GraphTensor("", TYPES[0], null);
        for (int field; (field = info.nextField()) != 0; ) {
            if (field == 1) {
                value = new GraphTensor(info.string(), value.type, value.shape);
            } else if (field == 2) {
                value = type(value.name, info.message(), 0);
            } else {
                info.skip();
            }
        }
        return value;
    }

    /** Reads a {@code TypeProto}. */
    private static GraphTensor type(String name, ProtoReader type, int depth)
            throws MalformedException {
        if (depth > MAX_DEPTH) {
            throw new MalformedException("types are nested more than %d deep".formatted(MAX_DEPTH));
        }
        GraphTensor found = new GraphTensor(name, TYPES[0], null);
        for (int field; (field = type.nextField()) != 0; ) {
            switch (field) {
                case 1 -> found = tensor(name, type.message());
                case 4 -> found = container(name, "sequence", type.message(), depth);
                case 5 -> found = container(name, "map", type.message(), depth);
                case 8 -> found = container(name, "sparse_tensor", type.message(), depth);
                case 9 -> found = container(name, "optional", type.message(), depth);
                default -> type.skip();
            }
        }
        return found;
    }

    private static GraphTensor tensor(String name, ProtoReader tensor) throws MalformedException {
        String elementType = TYPES[0];
        List<Dim> shape = null;
        for (int field; (field = tensor.nextField()) != 0; ) {
            switch (field) {
                case 1 -> elementType = typeName(tensor.varint());
                case 2 -> shape = shape(tensor.message());
                default -> tensor.skip();
            }
        }
        return new GraphTensor(name, elementType, shape);
    }

    /** A sequence or an optional has its element in field 1; a map its key in 1, its value in 2. */
    private static GraphTensor container(String name, String kind, ProtoReader of, int depth)
            throws MalformedException {
        List<String> parts = new ArrayList<>();
        for (int field; (field = of.nextField()) != 0; ) {
            if (of.wireType() == 0) {
                parts.add(typeName(of.varint()));
            } else if (field <= 2 && of.wireType() == 2 && !kind.equals("sparse_tensor")) {
                parts.add(type("", of.message(), depth + 1).type);
            } else {
                of.skip();
            }
        }
        return new GraphTensor(name, "%s(%s)".formatted(kind, String.join(", ", parts)), null);
    }

    private static String typeName(long number) {
        return number >= 0 && number < TYPES.length ? TYPES[(int) number] : "type " + number;
    }

    private static List<Dim> shape(ProtoReader shape) throws MalformedException {
        List<Dim> dims = new ArrayList<>();
        for (int field; (field = shape.nextField()) != 0; ) {
            if (field != 1) {
                shape.skip();
                continue;
            }
            long size = FREE;
            String symbol = null;
            ProtoReader dim = shape.message();
            for (int part; (part = dim.nextField()) != 0; ) {
                switch (part) {
                    case 1 -> size = Math.max(FREE, dim.varint());
                    case 2 -> symbol = dim.string();
                    default -> dim.skip();
                }
            }
            dims.add(new Dim(size, symbol));
        }
        return dims;
    }
}
