// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.model.ProtoReader.MalformedException;
import org.apache.flink.annotation.Internal;

/**
 * Finds tensors of an ONNX model whose data is stored outside the model: in a separate file, which
 * no checksum of the bundle covers and whose path may point anywhere, or at a memory address, for
 * which ONNX Runtime has a special location. Tensors occur not only as weights but also in
 * attributes, subgraphs, functions and sparse tensors. The numbers are the field numbers of {@code
 * onnx.proto}.
 */
@Internal
final class ExternalData {
    /** The depth limit of protobuf itself. */
    private static final int MAX_DEPTH = 100;

    private enum Message {
        MODEL,
        TRAINING_INFO,
        FUNCTION,
        GRAPH,
        NODE,
        ATTRIBUTE,
        SPARSE_TENSOR,
        TENSOR;

        /** The kind of message in a field, or null if it cannot contain a tensor. */
        private Message in(int field) {
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
    static boolean isIn(ProtoReader model) throws MalformedException {
        return isIn(Message.MODEL, model, 0);
    }

    private static boolean isIn(Message kind, ProtoReader message, int depth)
            throws MalformedException {
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
            } else if (kind == Message.TENSOR && field == 13) { // external_data
                return true;
            } else if (kind == Message.TENSOR && field == 14) { // data_location
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
