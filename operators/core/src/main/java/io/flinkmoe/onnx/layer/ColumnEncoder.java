// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.ColumnModel;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ModelPort;
import io.flinkmoe.onnx.OnnxModel;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/** An encoder that reads typed columns. Not thread-safe. */
@Internal
public final class ColumnEncoder implements InputReader {

    private final ColumnModel model;
    private final ModelPort output;
    private final int inputWidth;
    private final List<TensorColumn> columns = new ArrayList<>();
    private final DirectRows vectors;
    private final int rowsPerCall;

    /**
     * @param output the tensor of the vectors; null for the only one
     * @param inputs the columns of a token, of which the model reads some
     * @param vectors [batch, input size of the first layer], receives the output
     * @param rowsPerCall the most rows of a call of the model
     */
    public ColumnEncoder(
            ColumnModel model,
            String output,
            InputLayout inputs,
            DirectRows vectors,
            int rowsPerCall)
            throws BundleException {
        this.model = model;
        this.output = model.output(output, vectors.width());
        this.inputWidth = inputs.words();
        this.vectors = vectors;
        this.rowsPerCall = rowsPerCall;
        for (int i = 0; i < inputs.inputs().size(); i++) {
            InputSpec input = inputs.inputs().get(i);
            if (input.isRead()) {
                boolean isMatrix = model.isMatrix(input.tensorName());
                columns.add(TensorColumn.of(inputs, i, isMatrix, vectors.maxRows()));
            }
        }
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
    public boolean encodes() {
        return true;
    }

    @Override
    public void read(RouterBatch batch) throws OrtException {
        for (int from = 0; from < batch.tokens(); from += rowsPerCall) {
            read(batch, from, Math.min(rowsPerCall, batch.tokens() - from));
        }
    }

    private void read(RouterBatch batch, int from, int rows) throws OrtException {
        Map<String, OnnxTensor> tensors = new HashMap<>();
        try (OnnxTensor out = output.output(OnnxModel.environment(), vectors, from, rows)) {
            for (TensorColumn column : columns) {
                tensors.put(column.tensor(), column.fill(batch, inputWidth, from, rows));
            }
            model.session().run(tensors, Map.of(output.name(), out)).close();
            output.store(out, vectors, from, rows);
        } finally {
            tensors.values().forEach(OnnxTensor::close);
        }
    }
}
