// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.onnx.ColumnModel;
import io.flinkmoe.onnx.OnnxModel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/**
 * One column of a batch as a tensor: {@link Numbers} in a reused direct buffer, or {@link Text}.
 */
@Internal
interface TensorColumn {

    /** The name of the tensor. */
    String tensor();

    /**
     * Copies the column of some tokens out of their packed rows. The caller closes the tensor.
     *
     * @param words the 4-byte words of a packed row
     * @param from the first of the tokens
     * @param rows their number
     */
    OnnxTensor fill(RouterBatch batch, int words, int from, int rows) throws OrtException;

    /**
     * @param isMatrix whether the tensor is [batch, count] and not [batch]
     */
    static TensorColumn of(InputLayout inputs, int index, boolean isMatrix, int maxRows) {
        InputSpec input = inputs.inputs().get(index);
        Column column = input.column();
        int offset = inputs.columns().offset(index);
        Shape shape = new Shape(column.count(), isMatrix);
        return switch (column.type()) {
            case STRING -> new Text(input.tensorName(), offset, shape);
            default -> new Numbers(input.tensorName(), column, offset, shape, maxRows);
        };
    }

    /** The shape of a tensor of one value or a vector in each row. */
    record Shape(int count, boolean isMatrix) {
        long[] of(int rows) {
            return isMatrix ? new long[] {rows, count} : new long[] {rows};
        }
    }

    /** Strings, which ONNX Runtime copies. */
    record Text(String tensor, int offset, Shape shape) implements TensorColumn {
        @Override
        public OnnxTensor fill(RouterBatch batch, int words, int from, int rows)
                throws OrtException {
            String[] strings = new String[rows * shape.count];
            for (int i = 0; i < strings.length; i++) {
                strings[i] = batch.string(from + i / shape.count, offset + i % shape.count);
            }
            return OnnxTensor.createTensor(OnnxModel.environment(), strings, shape.of(rows));
        }
    }

    /** Numbers of any type, and bools. */
    final class Numbers implements TensorColumn {
        private final String tensor;
        private final OnnxJavaType type;
        private final int offset;
        private final int rowBytes;
        private final Shape shape;
        private final ByteBuffer buffer;

        Numbers(String tensor, Column column, int offset, Shape shape, int maxRows) {
            this.tensor = tensor;
            this.type = ColumnModel.javaType(column.type());
            this.offset = offset;
            this.rowBytes = shape.count * column.type().words() * Integer.BYTES;
            this.shape = shape;
            this.buffer =
                    ByteBuffer.allocateDirect(Math.multiplyExact(maxRows, rowBytes))
                            .order(ByteOrder.nativeOrder());
        }

        @Override
        public String tensor() {
            return tensor;
        }

        @Override
        public OnnxTensor fill(RouterBatch batch, int words, int from, int rows)
                throws OrtException {
            byte[] numbers = batch.vectors();
            int stride = words * Integer.BYTES;
            if (type == OnnxJavaType.BOOL) {
                for (int i = 0; i < rows * shape.count; i++) {
                    int at = (from + i / shape.count) * stride + offset;
                    buffer.put(i, numbers[at + i % shape.count * Integer.BYTES]);
                }
            } else {
                for (int row = 0; row < rows; row++) {
                    buffer.put(row * rowBytes, numbers, (from + row) * stride + offset, rowBytes);
                }
            }
            return tensor(rows);
        }

        private OnnxTensor tensor(int rows) throws OrtException {
            OrtEnvironment environment = OnnxModel.environment();
            long[] dims = shape.of(rows);
            int bytes = type == OnnxJavaType.BOOL ? rows * shape.count : rows * rowBytes;
            ByteBuffer filled = buffer.slice(0, bytes).order(ByteOrder.nativeOrder());
            return switch (type) {
                case FLOAT -> OnnxTensor.createTensor(environment, filled.asFloatBuffer(), dims);
                case DOUBLE -> OnnxTensor.createTensor(environment, filled.asDoubleBuffer(), dims);
                case INT32 -> OnnxTensor.createTensor(environment, filled.asIntBuffer(), dims);
                case INT64 -> OnnxTensor.createTensor(environment, filled.asLongBuffer(), dims);
                default -> OnnxTensor.createTensor(environment, filled, dims, type);
            };
        }
    }
}
