// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.head;

import ai.onnxruntime.OrtException;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.FlinkException;

/** Computes the model's outputs from the last layer's vectors: {@link None} or {@link Onnx}. */
@Internal
interface HeadModel {

    /**
     * Returns the outputs of T tokens.
     *
     * @return [T, output size]
     */
    float[] outputs(TokenBlock tokens) throws FlinkException;

    /** A model without a head: the outputs are the last layer's vectors. */
    record None(int width) implements HeadModel {
        @Override
        public float[] outputs(TokenBlock tokens) {
            float[] values = new float[tokens.rows() * width];
            Floats.get(tokens.vectors(), 0, values, 0, values.length);
            return values;
        }
    }

    /** A head as an ONNX model. */
    final class Onnx implements HeadModel {

        private final OnnxModel model;
        private final String modelVersion;
        private final DirectRows input;
        private final DirectRows results;

        /**
         * @param modelVersion the version of the bundle, for messages
         * @param maxRows the largest number of tokens in a call
         */
        Onnx(OnnxModel model, String modelVersion, int maxRows) {
            this.model = model;
            this.modelVersion = modelVersion;
            this.input = new DirectRows(maxRows, model.inputWidth());
            this.results = new DirectRows(maxRows, model.outputWidth());
        }

        @Override
        public float[] outputs(TokenBlock tokens) throws FlinkException {
            input.put(tokens.vectors(), 0, 0, tokens.rows());
            try {
                model.run(input, results, tokens.rows());
            } catch (OrtException e) {
                throw new FlinkException(
                        "%s (model version %s) failed on %d tokens, from position %d of stream %s: %s"
                                .formatted(
                                        model.file(),
                                        modelVersion,
                                        tokens.rows(),
                                        tokens.positions()[0],
                                        tokens.streams()[0],
                                        e.getMessage()),
                        e);
            }
            float[] values = new float[tokens.rows() * model.outputWidth()];
            results.get(values, 0, tokens.rows());
            return values;
        }
    }
}
