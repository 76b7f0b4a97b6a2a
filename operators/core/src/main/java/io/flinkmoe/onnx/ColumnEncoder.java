// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.model.BundleException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/** An encoder that reads typed columns. Not thread-safe. */
@Internal
final class ColumnEncoder implements InputReader {

    private final ColumnModel model;
    private final ModelPort output;
    private final int inputWidth;
    private final List<TensorColumn> columns = new ArrayList<>();
    private final DirectRows vectors;

    /**
     * @param output the tensor of the vectors; null for the only one
     * @param inputs the columns of a token, of which the model reads some
     * @param vectors [batch, input size of the first layer], receives the output
     */
    ColumnEncoder(ColumnModel model, String output, InputLayout inputs, DirectRows vectors)
            throws BundleException {
        this.model = model;
        this.output = model.output(output, vectors.width());
        this.inputWidth = inputs.words();
        this.vectors = vectors;
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

    /** No router reads typed columns. */
    @Override
    public DirectRows inputs() {
        return vectors;
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
        int tokens = batch.tokens();
        Map<String, OnnxTensor> tensors = new HashMap<>();
        try (OnnxTensor out = output.output(OnnxModel.environment(), vectors, 0, tokens)) {
            for (TensorColumn column : columns) {
                tensors.put(column.tensor(), column.fill(batch, inputWidth));
            }
            model.session().run(tensors, Map.of(output.name(), out)).close();
            output.store(out, vectors, 0, tokens);
        } finally {
            tensors.values().forEach(OnnxTensor::close);
        }
    }

    @Override
    public byte[] bytes(RouterBatch batch) {
        byte[] bytes = new byte[batch.tokens() * vectors.width() * Float.BYTES];
        vectors.get(0, bytes, 0, batch.tokens());
        return bytes;
    }
}
