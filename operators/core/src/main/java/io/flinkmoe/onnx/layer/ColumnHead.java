// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.ColumnModel;
import io.flinkmoe.onnx.ColumnModel.Binding;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ModelPort;
import io.flinkmoe.onnx.OnnxModel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** A head with named outputs of any type. Its tensors belong to ONNX Runtime. */
@Internal
public final class ColumnHead {

    private final ColumnModel model;
    private final ModelPort input;
    private final List<Binding> outputs;
    private final Set<String> tensors = new LinkedHashSet<>();
    private final ColumnLayout layout;
    private final int rowsPerCall;

    /**
     * @param input the tensor of the vectors; null for the only one
     * @param outputs the outputs, in order
     * @param width the width of the vectors that the head reads
     * @param rowsPerCall the most rows of a call of the model
     */
    public ColumnHead(
            ColumnModel model, String input, List<Binding> outputs, int width, int rowsPerCall)
            throws BundleException {
        this.model = model;
        this.input = model.input(input, width);
        this.outputs = outputs;
        this.rowsPerCall = rowsPerCall;
        this.layout = new ColumnLayout(outputs.stream().map(Binding::column).toList());
        outputs.forEach(output -> tensors.add(output.tensor()));
    }

    public Path file() {
        return model.file();
    }

    /**
     * Runs the head on the first {@code rows} rows of {@code vectors}.
     *
     * @throws IllegalStateException if a tensor has another shape than its column
     */
    public OutputRows run(DirectRows vectors, int rows) throws OrtException {
        OutputRows found =
                new OutputRows(
                        layout,
                        new byte[rows * layout.words() * Integer.BYTES],
                        new String[rows * layout.strings()]);
        for (int from = 0; from < rows; from += rowsPerCall) {
            run(vectors, from, Math.min(rowsPerCall, rows - from), found);
        }
        return found;
    }

    private void run(DirectRows vectors, int from, int rows, OutputRows found) throws OrtException {
        try (OnnxTensor in = input.input(OnnxModel.environment(), vectors, from, rows);
                OrtSession.Result result = model.session().run(Map.of(input.name(), in), tensors)) {
            for (int i = 0; i < outputs.size(); i++) {
                Column column = outputs.get(i).column();
                OnnxTensor tensor = (OnnxTensor) result.get(outputs.get(i).tensor()).orElseThrow();
                checkShape(outputs.get(i), tensor.getInfo().getShape(), rows);
                Place place = new Place(column, layout.offset(i), from, rows);
                if (column.type() == ColumnType.STRING) {
                    copyText(tensor, place, found.strings());
                } else {
                    copyNumbers(tensor, place, found.numbers());
                }
            }
        }
    }

    /** Where the values of a column go: its offset in a row, the first row, the number of rows. */
    private record Place(Column column, int offset, int from, int rows) {}

    private void checkShape(Binding output, long[] shape, int rows) {
        int count = output.column().count();
        boolean fits =
                shape.length > 0
                        && shape.length <= 2
                        && shape[0] == rows
                        && (shape.length == 2 ? shape[1] == count : count == 1);
        if (!fits) {
            throw new IllegalStateException(
                    "output '%s' of %d rows is %s; expected [%d, %d]"
                            .formatted(output.tensor(), rows, Arrays.toString(shape), rows, count));
        }
    }

    private void copyText(OnnxTensor tensor, Place place, String[] strings) throws OrtException {
        Object value = tensor.getValue();
        int count = place.column.count();
        for (int i = 0; i < place.rows * count; i++) {
            String text =
                    value instanceof String[] list
                            ? list[i]
                            : ((String[][]) value)[i / count][i % count];
            int row = place.from + i / count;
            strings[row * layout.strings() + place.offset + i % count] = text;
        }
    }

    private void copyNumbers(OnnxTensor tensor, Place place, byte[] numbers) {
        ByteBuffer values = tensor.getByteBuffer().order(ByteOrder.nativeOrder());
        int rowBytes = layout.words() * Integer.BYTES;
        int first = place.from * rowBytes + place.offset;
        int count = place.column.count();
        if (place.column.type() == ColumnType.BOOL) {
            for (int i = 0; i < place.rows * count; i++) {
                int at = first + i / count * rowBytes + i % count * Integer.BYTES;
                numbers[at] = values.get(i);
            }
            return;
        }
        int bytes = count * place.column.type().words() * Integer.BYTES;
        for (int row = 0; row < place.rows; row++) {
            values.get(row * bytes, numbers, first + row * rowBytes, bytes);
        }
    }
}
