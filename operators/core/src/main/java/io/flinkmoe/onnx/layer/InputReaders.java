// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import io.flinkmoe.column.InputLayout;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import org.apache.flink.annotation.Internal;

/** Chooses the reader of a layer's input. */
@Internal
final class InputReaders {

    private InputReaders() {}

    /** The reader of a layer. */
    static InputReader of(BundleSessions sessions, int layer, int maxRows) throws BundleException {
        BundleSpec spec = sessions.spec();
        int width = spec.layers().get(layer).inputSize();
        if (layer > 0) {
            return new InputReader.Vectors(new DirectRows(maxRows, width));
        }
        InputLayout inputs = spec.inputLayout();
        if (spec.encoder() == null) {
            return inputs.words() == width
                    ? new InputReader.Vectors(new DirectRows(maxRows, width))
                    : new InputReader.FloatColumn(inputs, new DirectRows(maxRows, width));
        }
        return spec.encodesColumns()
                ? new ColumnEncoder(
                        sessions.columnEncoder(),
                        spec.encoder().output(),
                        inputs,
                        new DirectRows(maxRows, width),
                        sessions.rowsPerCall(spec.encoder()))
                : new InputReader.VectorEncoder(
                        sessions.encoder(),
                        new DirectRows(maxRows, inputs.words()),
                        new DirectRows(maxRows, width));
    }
}
