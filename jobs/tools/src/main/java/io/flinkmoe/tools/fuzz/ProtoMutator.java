// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.flink.annotation.Internal;

/**
 * Changes one field of a protobuf message, or of a nested message, and keeps the enclosing lengths
 * correct. Random bytes would mostly break these lengths.
 */
@Internal
final class ProtoMutator {

    private static final int VARINT = 0;
    private static final int BYTES = 2;

    /** Strings with a meaning in ONNX models: operators and the names of values. */
    private static final String[] TEXTS = {
        "",
        "hidden",
        "output",
        "logits",
        "w1",
        "w1.weight",
        "ai.onnx.ml",
        "com.microsoft",
        "*/_ORT_MEM_ADDR_/*",
        "Add",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Conv",
        "CumSum",
        "DequantizeLinear",
        "Einsum",
        "Expand",
        "Gather",
        "GatherND",
        "Gemm",
        "If",
        "Loop",
        "LSTM",
        "MatMul",
        "MaxPool",
        "Mul",
        "OneHot",
        "Pad",
        "QLinearMatMul",
        "Range",
        "ReduceSum",
        "Reshape",
        "Resize",
        "Scan",
        "ScatterND",
        "SequenceAt",
        "Slice",
        "Softmax",
        "Split",
        "Squeeze",
        "StringNormalizer",
        "Tile",
        "TopK",
        "Transpose",
        "Unsqueeze",
        "Where"
    };

    /** A field of a message: its number, its wire type and the bytes of its value. */
    private record Field(int number, int wireType, byte[] value) {}

    private ProtoMutator() {}

    /** The message with one change, or with random bytes at its end if it is not a message. */
    static byte[] mutate(byte[] message, SplittableRandom random) {
        List<Field> fields = parse(message);
        if (fields == null || fields.isEmpty()) {
            return join(message, FuzzBytes.randomBytes(random, 4));
        }
        int at = random.nextInt(fields.size());
        Field field = fields.get(at);
        List<Field> inner = field.wireType == BYTES ? parse(field.value) : null;
        if (inner != null && !inner.isEmpty() && random.nextInt(8) != 0) {
            fields.set(at, new Field(field.number, BYTES, mutate(field.value, random)));
            return write(fields);
        }
        switch (random.nextInt(8)) {
            case 0 -> fields.remove(at);
            case 1 -> fields.add(random.nextInt(fields.size() + 1), field);
            case 2 -> fields.set(at, fields.set(random.nextInt(fields.size()), field));
            case 3 ->
                    fields.set(at, new Field(1 + random.nextInt(26), field.wireType, field.value));
            default ->
                    fields.set(at, new Field(field.number, field.wireType, other(field, random)));
        }
        return write(fields);
    }

    private static byte[] other(Field field, SplittableRandom random) {
        if (field.wireType == VARINT) {
            long[] numbers = FuzzBytes.NUMBERS;
            return FuzzBytes.varint(
                    random.nextBoolean()
                            ? random.nextInt(24)
                            : numbers[random.nextInt(numbers.length)]);
        }
        if (field.wireType != BYTES) {
            return FuzzBytes.randomBytes(random, field.value.length);
        }
        return switch (random.nextInt(4)) {
            case 0 -> FuzzBytes.randomBytes(random, field.value.length);
            case 1 -> FuzzBytes.randomBytes(random, random.nextInt(16));
            default -> TEXTS[random.nextInt(TEXTS.length)].getBytes(StandardCharsets.US_ASCII);
        };
    }

    static boolean isMessage(byte[] bytes) {
        return parse(bytes) != null;
    }

    /** The fields of a message; null if the bytes are not a message. */
    private static List<Field> parse(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        List<Field> fields = new ArrayList<>();
        while (in.hasRemaining()) {
            long tag = varint(in);
            int wireType = (int) (tag & 7);
            long length =
                    switch (wireType) {
                        case VARINT -> varintLength(in);
                        case 1 -> 8;
                        case BYTES -> varint(in);
                        case 5 -> 4;
                        default -> -1;
                    };
            if (tag < 8 || tag >>> 3 > 1000 || length < 0 || length > in.remaining()) {
                return null;
            }
            byte[] value = new byte[(int) length];
            in.get(value);
            fields.add(new Field((int) (tag >>> 3), wireType, value));
        }
        return fields;
    }

    private static long varint(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; shift < 64 && in.hasRemaining(); shift += 7) {
            byte b = in.get();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        return -1;
    }

    private static int varintLength(ByteBuffer in) {
        for (int i = 0; i < Math.min(10, in.remaining()); i++) {
            if (in.get(in.position() + i) >= 0) {
                return i + 1;
            }
        }
        return -1;
    }

    private static byte[] write(List<Field> fields) {
        byte[] out = new byte[0];
        for (Field field : fields) {
            out = join(out, FuzzBytes.varint((long) field.number << 3 | field.wireType));
            if (field.wireType == BYTES) {
                out = join(out, FuzzBytes.varint(field.value.length));
            }
            out = join(out, field.value);
        }
        return out;
    }

    private static byte[] join(byte[] a, byte[] b) {
        return ByteBuffer.allocate(a.length + b.length).put(a).put(b).array();
    }
}
