// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.ColumnModel.Binding;
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

    /**
     * @param input the tensor of the vectors; null for the only one
     * @param outputs the outputs, in order
     * @param width the width of the vectors that the head reads
     */
    ColumnHead(ColumnModel model, String input, List<Binding> outputs, int width)
            throws BundleException {
        this.model = model;
        this.input = model.input(input, width);
        this.outputs = outputs;
        this.layout = new ColumnLayout(outputs.stream().map(Binding::column).toList());
        outputs.forEach(output -> tensors.add(output.tensor()));
    }

    Path file() {
        return model.file();
    }

    /**
     * Runs the head on the first {@code rows} rows of {@code vectors}.
     *
     * @throws OrtException if the head throws, or a tensor has another shape than its column
     */
    OutputRows run(DirectRows vectors, int rows) throws OrtException {
        int rowBytes = layout.words() * Integer.BYTES;
        byte[] numbers = new byte[rows * rowBytes];
        String[] strings = new String[rows * layout.strings()];
        try (OnnxTensor in = input.input(OnnxModel.environment(), vectors, 0, rows);
                OrtSession.Result result = model.session().run(Map.of(input.name(), in), tensors)) {
            for (int i = 0; i < outputs.size(); i++) {
                Column column = outputs.get(i).column();
                OnnxTensor tensor = (OnnxTensor) result.get(outputs.get(i).tensor()).orElseThrow();
                checkShape(outputs.get(i), tensor.getInfo().getShape(), rows);
                if (column.type() == ColumnType.STRING) {
                    copyText(tensor, column, strings, layout.offset(i));
                } else {
                    copyNumbers(tensor, column, numbers, layout.offset(i));
                }
            }
        }
        return new OutputRows(layout, numbers, strings);
    }

    private void checkShape(Binding output, long[] shape, int rows) throws OrtException {
        int count = output.column().count();
        boolean fits =
                shape.length > 0
                        && shape.length <= 2
                        && shape[0] == rows
                        && (shape.length == 2 ? shape[1] == count : count == 1);
        if (!fits) {
            throw new OrtException(
                    "output '%s' of %d rows is %s; expected [%d, %d]"
                            .formatted(output.tensor(), rows, Arrays.toString(shape), rows, count));
        }
    }

    private void copyText(OnnxTensor tensor, Column column, String[] strings, int offset)
            throws OrtException {
        Object value = tensor.getValue();
        int count = column.count();
        int rows = strings.length / layout.strings();
        for (int i = 0; i < rows * count; i++) {
            String text =
                    value instanceof String[] list
                            ? list[i]
                            : ((String[][]) value)[i / count][i % count];
            strings[i / count * layout.strings() + offset + i % count] = text;
        }
    }

    private void copyNumbers(OnnxTensor tensor, Column column, byte[] numbers, int offset) {
        ByteBuffer values = tensor.getByteBuffer().order(ByteOrder.nativeOrder());
        int rowBytes = layout.words() * Integer.BYTES;
        int rows = numbers.length / rowBytes;
        int count = column.count();
        if (column.type() == ColumnType.BOOL) {
            for (int i = 0; i < rows * count; i++) {
                numbers[i / count * rowBytes + offset + i % count * Integer.BYTES] = values.get(i);
            }
            return;
        }
        int bytes = count * column.type().words() * Integer.BYTES;
        for (int row = 0; row < rows; row++) {
            values.get(row * bytes, numbers, row * rowBytes + offset, bytes);
        }
    }
}
