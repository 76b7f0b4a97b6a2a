// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import org.apache.flink.annotation.Internal;

/**
 * Turns the input of a layer into the vectors that its norm, gates and experts read: {@link
 * Vectors} as they are, one {@link FloatColumn} of several columns, or the output of an encoder.
 */
@Internal
interface InputReader {

    /** The width of a token's input: of packed numbers, the 4-byte words. */
    int inputWidth();

    /** The inputs as vectors, for a router that reads them; no router reads other inputs. */
    default DirectRows inputs() {
        return vectors();
    }

    /** The vectors that {@link #read} writes. */
    DirectRows vectors();

    /** Reads T tokens. */
    void read(RouterBatch batch) throws OrtException;

    /** Returns the vectors of the tokens that were read, [T, input size of the layer]. */
    default byte[] bytes(RouterBatch batch) {
        int tokens = batch.tokens();
        byte[] bytes = new byte[tokens * vectors().width() * Float.BYTES];
        vectors().get(0, bytes, 0, tokens);
        return bytes;
    }

    /** Whether a model computes the vectors, which may not be finite then. */
    default boolean encodes() {
        return false;
    }

    /** The input is the vectors. */
    record Vectors(DirectRows inputs) implements InputReader {
        @Override
        public int inputWidth() {
            return inputs.width();
        }

        @Override
        public DirectRows vectors() {
            return inputs;
        }

        @Override
        public void read(RouterBatch batch) {
            inputs.put(batch.vectors(), 0, 0, batch.tokens());
        }

        @Override
        public byte[] bytes(RouterBatch batch) {
            return batch.vectors();
        }
    }

    /** The vectors are one column; rules read the others. */
    final class FloatColumn implements InputReader {
        private final int inputWidth;
        private final int offset;
        private final DirectRows vectors;

        FloatColumn(InputLayout inputs, DirectRows vectors) {
            this.inputWidth = inputs.words();
            this.vectors = vectors;
            int column = 0;
            for (InputSpec input : inputs.inputs()) {
                if (input.isRead()) {
                    break;
                }
                column++;
            }
            this.offset = inputs.columns().offset(column);
        }

        @Override
        public int inputWidth() {
            return inputWidth;
        }

        @Override
        public DirectRows vectors() {
            return vectors;
        }

        @Override
        public void read(RouterBatch batch) {
            for (int token = 0; token < batch.tokens(); token++) {
                vectors.putRow(batch.vectors(), token * inputWidth * Float.BYTES + offset, token);
            }
        }
    }

    /** An encoder that reads one vector. */
    record VectorEncoder(OnnxModel encoder, DirectRows inputs, DirectRows vectors)
            implements InputReader {
        @Override
        public int inputWidth() {
            return inputs.width();
        }

        @Override
        public void read(RouterBatch batch) throws OrtException {
            inputs.put(batch.vectors(), 0, 0, batch.tokens());
            encoder.run(inputs, vectors, batch.tokens());
        }

        @Override
        public boolean encodes() {
            return true;
        }
    }
}
