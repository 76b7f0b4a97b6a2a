// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.apache.flink.annotation.Internal;

/**
 * A reusable direct buffer of up to {@code maxRows} rows of {@code width} float32, which ONNX
 * Runtime reads and writes without copying. Not thread-safe.
 */
@Internal
public final class DirectRows {

    private final int width;
    private final int maxRows;
    private final ByteBuffer bytes;
    private final FloatBuffer floats;

    public DirectRows(int maxRows, int width) {
        this.width = width;
        this.maxRows = maxRows;
        this.bytes =
                ByteBuffer.allocateDirect(
                                Math.multiplyExact(Math.multiplyExact(maxRows, width), Float.BYTES))
                        .order(ByteOrder.nativeOrder());
        this.floats = bytes.asFloatBuffer();
    }

    public int width() {
        return width;
    }

    public int maxRows() {
        return maxRows;
    }

    /** Copies rows in from little-endian bytes; {@code row} is the first row written. */
    public void put(byte[] rows, int fromRow, int row, int count) {
        int rowBytes = width * Float.BYTES;
        bytes.put(row * rowBytes, rows, fromRow * rowBytes, count * rowBytes);
    }

    /** Copies one row in from little-endian bytes that begin at {@code fromByte}. */
    public void putRow(byte[] bytesOfRows, int fromByte, int row) {
        int rowBytes = width * Float.BYTES;
        bytes.put(row * rowBytes, bytesOfRows, fromByte, rowBytes);
    }

    /** Copies {@code count} rows in from floats, from the buffer's first row on. */
    public void put(float[] rows, int fromRow, int count) {
        put(rows, fromRow, 0, count);
    }

    /** Copies rows in from floats; {@code row} is the first row written. */
    public void put(float[] rows, int fromRow, int row, int count) {
        floats.put(row * width, rows, fromRow * width, count * width);
    }

    /** Copies {@code count} rows out as little-endian bytes; {@code row} is the first row read. */
    public void get(int row, byte[] into, int intoRow, int count) {
        int rowBytes = width * Float.BYTES;
        bytes.get(row * rowBytes, into, intoRow * rowBytes, count * rowBytes);
    }

    /** Copies {@code count} rows out as floats, from the buffer's first row on. */
    public void get(float[] into, int intoRow, int count) {
        get(0, into, intoRow, count);
    }

    /** Copies {@code count} rows out as floats; {@code row} is the first row read. */
    public void get(int row, float[] into, int intoRow, int count) {
        floats.get(row * width, into, intoRow * width, count * width);
    }

    /**
     * Copies columns of the first {@code count} rows.
     *
     * @param column the first of the columns; as many are copied as {@code into} has
     */
    public void copyColumns(int column, DirectRows into, int count) {
        int rowBytes = into.width * Float.BYTES;
        for (int row = 0; row < count; row++) {
            into.bytes.put(row * rowBytes, bytes, (row * width + column) * Float.BYTES, rowBytes);
        }
    }

    /** Copies the first row to all rows from {@code from} to the last. */
    public void repeatFirst(int from) {
        int rowBytes = width * Float.BYTES;
        for (int row = from; row < maxRows; row++) {
            bytes.put(row * rowBytes, bytes, 0, rowBytes);
        }
    }

    /**
     * Some rows as a tensor over this memory; the caller closes it.
     *
     * @param row the first row
     * @param shape [count, width], or [count] if the width is 1
     */
    public OnnxTensor tensor(OrtEnvironment environment, int row, int count, long[] shape)
            throws OrtException {
        return OnnxTensor.createTensor(
                environment, floats.slice(row * width, count * width), shape);
    }
}
