// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.ColumnModel;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import org.apache.flink.annotation.Internal;

/**
 * Computes the model's outputs from the last layer's vectors: {@link None}, a model with one float
 * output ({@link Vectors}), or one with named outputs ({@link Columns}).
 */
@Internal
public interface ModelHead {

    /**
     * Returns the outputs of T tokens, at most the maximum of a call.
     *
     * @param vectors [T, output size of the last layer] float32, little endian
     */
    OutputRows run(byte[] vectors, int tokens) throws OrtException;

    /** What runs, for messages. */
    String describe();

    /** Opens the head of a bundle. */
    static ModelHead of(BundleSessions sessions, int maxRows) throws BundleException {
        BundleSpec spec = sessions.spec();
        ColumnLayout layout = spec.outputLayout();
        if (spec.head() == null) {
            return new None(layout);
        }
        if (!spec.headHasColumns()) {
            return new Vectors(sessions.head(), layout, maxRows);
        }
        ColumnHead head =
                new ColumnHead(
                        sessions.columnHead(),
                        spec.head().input(),
                        ColumnModel.outputsOf(spec),
                        spec.lastSize(),
                        sessions.rowsPerCall(spec.head()));
        return new Columns(head, new DirectRows(maxRows, spec.lastSize()));
    }

    /** A model without a head: the outputs are the last layer's vectors. */
    record None(ColumnLayout layout) implements ModelHead {
        @Override
        public OutputRows run(byte[] vectors, int tokens) {
            return new OutputRows(layout, vectors, RouterBatch.NO_STRINGS);
        }

        @Override
        public String describe() {
            return "the last layer";
        }
    }

    /** A head with one output, a vector of floats. */
    final class Vectors implements ModelHead {
        private final OnnxModel model;
        private final ColumnLayout layout;
        private final DirectRows input;
        private final DirectRows results;

        Vectors(OnnxModel model, ColumnLayout layout, int maxRows) {
            this.model = model;
            this.layout = layout;
            this.input = new DirectRows(maxRows, model.inputWidth());
            this.results = new DirectRows(maxRows, model.outputWidth());
        }

        @Override
        public OutputRows run(byte[] vectors, int tokens) throws OrtException {
            input.put(vectors, 0, 0, tokens);
            model.run(input, results, tokens);
            byte[] values = new byte[tokens * model.outputWidth() * Float.BYTES];
            results.get(0, values, 0, tokens);
            return new OutputRows(layout, values, RouterBatch.NO_STRINGS);
        }

        @Override
        public String describe() {
            return model.file().toString();
        }
    }

    /** A head with named outputs. */
    record Columns(ColumnHead model, DirectRows input) implements ModelHead {
        @Override
        public OutputRows run(byte[] vectors, int tokens) throws OrtException {
            input.put(vectors, 0, 0, tokens);
            return model.run(input, tokens);
        }

        @Override
        public String describe() {
            return model.file().toString();
        }
    }
}
