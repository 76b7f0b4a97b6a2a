// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.serialization.Wire;
import io.flinkmoe.tensor.Floats;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * R vectors of width d, float32, little endian.
 *
 * <p>The vectors that an operator emits may be borrowed: rows of a matrix that belongs to the
 * operator. They are serialized directly from the matrix, because allocating a separate array costs
 * as much as the network transfer. Borrowed vectors are valid until {@code collect} returns; a
 * serializer's copy is {@link #owned}. Records from the network own their vectors. Experts and
 * combines receive only such records.
 */
@Internal
public final class Vectors {

    /** No vectors. */
    public static final Vectors NONE = of(new byte[0]);

    private final byte[] matrix;

    /** The rows of the matrix, of {@code width} floats each; null: all rows, in order. */
    private final int[] rows;

    private final int width;

    /** Of borrowed vectors: the floats from one row of the matrix to the next. */
    private final int stride;

    /** Of borrowed vectors: the first of their columns in the matrix. */
    private final int column;

    private Vectors(byte[] matrix, int[] rows, int width, int stride, int column) {
        this.matrix = matrix;
        this.rows = rows;
        this.width = width;
        this.stride = stride;
        this.column = column;
    }

    /**
     * Returns owned vectors.
     *
     * @param bytes [R, d]
     */
    public static Vectors of(byte[] bytes) {
        return new Vectors(bytes, null, 0, 0, 0);
    }

    /**
     * Borrows rows of a matrix.
     *
     * @param matrix [M, d]
     * @param rows R of its rows
     * @param width d
     */
    public static Vectors borrow(byte[] matrix, int[] rows, int width) {
        return new Vectors(matrix, rows, width, width, 0);
    }

    /**
     * Borrows a slice of rows of a matrix.
     *
     * @param matrix [M, stride]
     * @param rows R of its rows
     * @param column the first column of the slice
     * @param width the columns of the slice
     */
    public static Vectors borrowSlice(
            byte[] matrix, int[] rows, int stride, int column, int width) {
        return new Vectors(matrix, rows, width, stride, column);
    }

    /** Whether there are no vectors. */
    public boolean isEmpty() {
        return matrix.length == 0;
    }

    boolean isBorrowed() {
        return rows != null;
    }

    /** Returns the same vectors in memory that no operator writes to. */
    Vectors owned() {
        return isBorrowed() ? of(toBytes()) : this;
    }

    /** Returns all vectors, [R, d]. Do not modify the array: it may be the owned one. */
    public byte[] toBytes() {
        if (!isBorrowed()) {
            return matrix;
        }
        int rowBytes = width * Float.BYTES;
        byte[] bytes = new byte[rows.length * rowBytes];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(matrix, byteOf(rows[i]), bytes, i * rowBytes, rowBytes);
        }
        return bytes;
    }

    /**
     * Copies one vector.
     *
     * @param into [d]
     */
    public void get(int vector, float[] into) {
        get(vector, into, into.length);
    }

    /**
     * Copies one vector.
     *
     * @param into receives {@code count} values from its start on
     * @param count d
     */
    public void get(int vector, float[] into, int count) {
        int from = isBorrowed() ? rows[vector] * stride + column : vector * count;
        Floats.get(matrix, from, into, 0, count);
    }

    /**
     * Copies consecutive vectors to rows of a buffer.
     *
     * @param row the first of the rows
     * @param from the first vector
     * @param count the number of vectors
     */
    public void copyTo(DirectRows into, int row, int from, int count) {
        if (!isBorrowed()) {
            into.put(matrix, from, row, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            into.putRow(matrix, byteOf(rows[from + i]), row + i);
        }
    }

    /**
     * Returns the vectors from {@code from} to before {@code to} as owned vectors.
     *
     * @param count R
     */
    Vectors slice(int from, int to, int count) {
        byte[] all = toBytes();
        int rowBytes = all.length / count;
        return of(Arrays.copyOfRange(all, from * rowBytes, to * rowBytes));
    }

    /** Where a borrowed row begins in the matrix. */
    private int byteOf(int row) {
        return (row * stride + column) * Float.BYTES;
    }

    void write(DataOutputView out) throws IOException {
        if (!isBorrowed()) {
            Wire.writeBytes(matrix, out);
            return;
        }
        int rowBytes = width * Float.BYTES;
        out.writeInt(rows.length * rowBytes);
        for (int row : rows) {
            out.write(matrix, byteOf(row), rowBytes);
        }
    }

    static Vectors read(DataInputView in) throws IOException {
        return of(Wire.readBytes(in));
    }
}
