// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.proto;

import io.flinkmoe.model.proto.ProtoReader.MalformedException;
import org.apache.flink.annotation.Internal;

/**
 * Finds tensors of an ONNX model whose data is stored outside the model: in a separate file, which
 * no checksum of the bundle covers and whose path may point anywhere, or at a memory address, for
 * which ONNX Runtime has a special location. Tensors occur not only as weights but also in
 * attributes, subgraphs, functions and sparse tensors. The numbers are the field numbers of {@code
 * onnx.proto}.
 */
@Internal
public final class ExternalData {
    /** The depth limit of protobuf itself. */
    static final int MAX_DEPTH = 100;

    // Fields of a tensor.
    static final int ENTRIES = 13;
    static final int LOCATION = 14;

    /** The kinds of messages that can contain a tensor. */
    enum Message {
        MODEL,
        TRAINING_INFO,
        FUNCTION,
        GRAPH,
        NODE,
        ATTRIBUTE,
        SPARSE_TENSOR,
        TENSOR;

        /** The kind of message in a field, or null if it cannot contain a tensor. */
        Message in(int field) {
            return switch (this) {
                case MODEL ->
                        switch (field) {
                            case 7 -> GRAPH;
                            case 20 -> TRAINING_INFO;
                            case 25 -> FUNCTION;
                            default -> null;
                        };
                case TRAINING_INFO -> field == 1 || field == 2 ? GRAPH : null;
                case FUNCTION -> field == 7 ? NODE : field == 11 ? ATTRIBUTE : null;
                case GRAPH ->
                        switch (field) {
                            case 1 -> NODE;
                            case 5 -> TENSOR;
                            case 15 -> SPARSE_TENSOR;
                            default -> null;
                        };
                case NODE -> field == 5 ? ATTRIBUTE : null;
                case ATTRIBUTE ->
                        switch (field) {
                            case 5, 10 -> TENSOR;
                            case 6, 11 -> GRAPH;
                            case 22, 23 -> SPARSE_TENSOR;
                            default -> null;
                        };
                case SPARSE_TENSOR -> field == 1 || field == 2 ? TENSOR : null;
                case TENSOR -> null;
            };
        }
    }

    private ExternalData() {}

    /** Whether the data of any tensor of a model, at any depth, is stored outside the model. */
    public static boolean isIn(ProtoReader model) throws MalformedException {
        return isIn(Message.MODEL, model, 0);
    }

    static boolean isIn(Message kind, ProtoReader message, int depth) throws MalformedException {
        if (depth > MAX_DEPTH) {
            throw new MalformedException(
                    "messages are nested more than %d levels deep".formatted(MAX_DEPTH));
        }
        for (int field; (field = message.nextField()) != 0; ) {
            Message inner = kind.in(field);
            if (inner != null) {
                if (isIn(inner, message.message(), depth + 1)) {
                    return true;
                }
            } else if (kind == Message.TENSOR && field == ENTRIES) {
                return true;
            } else if (kind == Message.TENSOR && field == LOCATION) {
                if ((int) message.varint() != 0) { // An enum, of which protobuf keeps 32 bits.
                    return true;
                }
            } else {
                message.skip();
            }
        }
        return false;
    }
}
