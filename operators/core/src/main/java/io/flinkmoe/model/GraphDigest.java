// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.model.proto.ProtoReader;
import io.flinkmoe.tensor.Producer;
import io.flinkmoe.tensor.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.apache.flink.annotation.Internal;

/**
 * The SHA-256 of an ONNX file without the numbers in its weights. ONNX Runtime accepts or refuses
 * two files of equal digest alike: they have the same nodes, types, shapes and versions. Integers
 * are part of the digest, because they can be shapes and indices. The numbers in the code are the
 * field numbers of {@code onnx.proto}.
 *
 * @param digest in lower-case hexadecimal digits
 * @param generated whether flink-moe made the file
 */
@Internal
public record GraphDigest(String digest, boolean generated) {

    private static final int MODEL_PRODUCER = 2;
    private static final int MODEL_GRAPH = 7;
    private static final int GRAPH_WEIGHTS = 5;
    private static final int TENSOR_TYPE = 2;
    private static final int TENSOR_RAW_DATA = 9;

    /** Field numbers and lengths, as the digest reads them. */
    private static final class Input {
        private final MessageDigest sha = Sha256.digest();
        private final ByteBuffer number = ByteBuffer.allocate(Long.BYTES);

        void number(long value) {
            number.clear();
            sha.update(number.putLong(value).flip());
        }

        void bytes(ByteBuffer bytes) {
            number(bytes.remaining());
            sha.update(bytes);
        }
    }

    /**
     * Reads a file. The numbers in its weights are not read from disk.
     *
     * @throws BundleException if it is not an ONNX model
     */
    public static GraphDigest of(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            return of(new ProtoReader(bytes));
        } catch (ProtoReader.MalformedException e) {
            throw new BundleException(
                    file, "it is not an ONNX model, or it is damaged: " + e.getMessage(), e);
        }
    }

    private static GraphDigest of(ProtoReader model) throws ProtoReader.MalformedException {
        Input input = new Input();
        boolean generated = false;
        for (int field; (field = model.nextField()) != 0; ) {
            input.number(field);
            if (field == MODEL_GRAPH && model.wireType() == 2) {
                addGraph(model.message(), input);
            } else {
                ByteBuffer value = model.encoded();
                input.bytes(value.duplicate());
                generated |= field == MODEL_PRODUCER && isOurs(value);
            }
        }
        return new GraphDigest(HexFormat.of().formatHex(input.sha.digest()), generated);
    }

    private static boolean isOurs(ByteBuffer producer) {
        // The first byte is the length.
        byte[] ours = Producer.NAME.getBytes(StandardCharsets.UTF_8);
        return producer.remaining() == ours.length + 1
                && producer.slice(1, ours.length).equals(ByteBuffer.wrap(ours));
    }

    private static void addGraph(ProtoReader graph, Input input)
            throws ProtoReader.MalformedException {
        for (int field; (field = graph.nextField()) != 0; ) {
            input.number(field);
            if (field == GRAPH_WEIGHTS && graph.wireType() == 2) {
                addWeights(graph.message(), input);
            } else {
                input.bytes(graph.encoded());
            }
        }
        input.number(0); // The end of the graph.
    }

    private static void addWeights(ProtoReader tensor, Input input)
            throws ProtoReader.MalformedException {
        long type = 0;
        ByteBuffer raw = null;
        for (int field; (field = tensor.nextField()) != 0; ) {
            input.number(field);
            if (field == TENSOR_RAW_DATA) {
                raw = tensor.encoded();
                input.number(raw.remaining());
            } else if (field == TENSOR_TYPE && tensor.wireType() == 0) {
                type = tensor.varint();
                input.number(type);
            } else {
                input.bytes(tensor.encoded());
            }
        }
        if (raw != null && mayBeShape(type)) {
            input.bytes(raw);
        }
        input.number(0); // The end of the tensor.
    }

    /** The integers of 16 bits and more, strings and booleans. Others are numbers of weights. */
    private static boolean mayBeShape(long type) {
        return type >= 4 && type <= 9 || type == 12 || type == 13;
    }
}
