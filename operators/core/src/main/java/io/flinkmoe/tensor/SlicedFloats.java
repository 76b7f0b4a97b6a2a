// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import org.apache.flink.annotation.Internal;

/**
 * A slice of a tensor, read from the file block by block. A transposed slice is read as panels of
 * neighbouring columns, so that the memory for it does not depend on the size of the matrix.
 */
@Internal
final class SlicedFloats implements FloatBlocks {
    /** The floats of a block that need no transposition. */
    private static final int BLOCK = 1 << 16;

    /** The floats of a panel; the more, the fewer and longer are the reads. 16 MiB. */
    private static final int PANEL = 1 << 22;

    /** Rows that are transposed together: their floats in one column fill a cache line. */
    private static final int TILE = 16;

    private final ChannelReader file;
    private final TensorInfo tensor;
    private final MatrixSlice slice;
    private final FloatCheck check;

    SlicedFloats(ChannelReader file, TensorInfo tensor, MatrixSlice slice, FloatCheck check) {
        this.file = file;
        this.tensor = tensor;
        this.slice = slice;
        this.check = check;
    }

    @Override
    public long count() {
        return slice.elements();
    }

    @Override
    public void forEachBlock(Receiver receiver) throws IOException {
        FloatRuns runs = new FloatRuns(file, tensor, check);
        if (slice.transposed()) {
            transposed(runs, receiver);
        } else if (slice.stride() == slice.columns()) {
            run(runs, slice.first(), slice.elements(), receiver);
        } else {
            for (int row = 0; row < slice.rows(); row++) {
                run(runs, begin(row), slice.columns(), receiver);
            }
        }
    }

    private static void run(FloatRuns runs, long first, long count, Receiver receiver)
            throws IOException {
        float[] block = new float[(int) Math.min(BLOCK, count)];
        for (long done = 0; done < count; ) {
            int n = (int) Math.min(BLOCK, count - done);
            runs.read(first + done, block, 0, n);
            receiver.receive(block, n);
            done += n;
        }
    }

    private void transposed(FloatRuns runs, Receiver receiver) throws IOException {
        int rows = slice.rows();
        int width = Math.min(slice.columns(), Math.max(1, PANEL / rows));
        float[] panel = new float[Math.multiplyExact(width, rows)];
        float[] tile = new float[Math.multiplyExact(width, TILE)];
        for (int column = 0, n; column < slice.columns(); column += n) {
            n = Math.min(width, slice.columns() - column);
            for (int row = 0, k; row < rows; row += k) {
                k = Math.min(TILE, rows - row);
                for (int i = 0; i < k; i++) {
                    runs.read(begin(row + i) + column, tile, i * n, n);
                }
                for (int c = 0; c < n; c++) {
                    for (int i = 0; i < k; i++) {
                        panel[c * rows + row + i] = tile[i * n + c];
                    }
                }
            }
            receiver.receive(panel, n * rows);
        }
    }

    /** The number of the first element of a stored row. */
    private long begin(int row) {
        return slice.first() + row * slice.stride();
    }
}
