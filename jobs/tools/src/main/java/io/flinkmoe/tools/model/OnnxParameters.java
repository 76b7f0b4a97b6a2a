// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/**
 * Counts the parameters of an ONNX model: the elements of its graph's initializers. Also says what
 * a generated model computes. Reads only these fields of the protobuf format: ModelProto.graph = 7,
 * GraphProto.initializer = 5, TensorProto.dims = 1, ModelProto.doc_string = 6.
 */
@Internal
final class OnnxParameters {

    private static final int VARINT = 0;
    private static final int FIXED_64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED_32 = 5;

    private OnnxParameters() {}

    static long count(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer model = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            return sum(model, 7, graph -> sum(graph, 5, OnnxParameters::elements));
        } catch (IllegalArgumentException | BufferUnderflowException e) {
            throw new IOException(file + " is not an ONNX model", e);
        }
    }

    /** What a generated model computes (ModelProto.doc_string = 6); empty if it does not say. */
    static String description(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer model = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            String[] text = {""};
            sum(
                    model,
                    6,
                    value -> {
                        text[0] = StandardCharsets.UTF_8.decode(value).toString();
                        return 0;
                    });
            return text[0];
        } catch (IllegalArgumentException | BufferUnderflowException e) {
            throw new IOException(file + " is not an ONNX model", e);
        }
    }

    private interface Measure {
        long of(ByteBuffer message);
    }

    /** The sum of a measure over the submessages of one field. */
    private static long sum(ByteBuffer message, int field, Measure measure) {
        long sum = 0;
        while (message.hasRemaining()) {
            long tag = varint(message);
            if (tag == (field << 3 | BYTES)) {
                sum += measure.of(bytes(message));
            } else {
                skip(message, tag);
            }
        }
        return sum;
    }

    /** The product of a tensor's dims, which may be packed. */
    private static long elements(ByteBuffer tensor) {
        long product = 1;
        while (tensor.hasRemaining()) {
            long tag = varint(tensor);
            if (tag == (1 << 3 | VARINT)) {
                product *= varint(tensor);
            } else if (tag == (1 << 3 | BYTES)) {
                ByteBuffer dims = bytes(tensor);
                while (dims.hasRemaining()) {
                    product *= varint(dims);
                }
            } else {
                skip(tensor, tag);
            }
        }
        return product;
    }

    private static void skip(ByteBuffer message, long tag) {
        switch ((int) (tag & 7)) {
            case VARINT -> varint(message);
            case FIXED_64 -> message.position(message.position() + 8);
            case BYTES -> bytes(message);
            case FIXED_32 -> message.position(message.position() + 4);
            default -> throw new IllegalArgumentException("wire type " + (tag & 7));
        }
    }

    private static ByteBuffer bytes(ByteBuffer message) {
        int length = Math.toIntExact(varint(message));
        ByteBuffer bytes = message.slice().limit(length);
        message.position(message.position() + length);
        return bytes;
    }

    private static long varint(ByteBuffer message) {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte b = message.get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw new IllegalArgumentException("a varint of more than 10 bytes");
    }
}
