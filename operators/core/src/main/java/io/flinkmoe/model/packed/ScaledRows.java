// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.packed;

import io.flinkmoe.tensor.FloatRuns;
import java.io.IOException;
import org.apache.flink.annotation.Internal;

/**
 * Rows of values times scales, one scale per block of a matrix: value[row, column] · scale[row /
 * blockRows, column / blockColumns]. Whole-tensor and per-row scales are blocks, too. In a tensor
 * [N, rows, columns] each of the N matrices has blocks of its own.
 */
@Internal
final class ScaledRows implements RowReader {

    /**
     * The blocks that have a scale each.
     *
     * @param rows the rows of a matrix
     * @param blockRows the rows of a block
     * @param blockColumns the columns of a block
     * @param scaleColumns the scales in a row of blocks
     */
    record Blocks(int rows, int blockRows, int blockColumns, int scaleColumns) {

        /** The row of the scales for a row of the stored tensor. */
        long scaleRow(long row) {
            int rowsOfScales = (rows + blockRows - 1) / blockRows;
            return row / rows * rowsOfScales + row % rows / blockRows;
        }
    }

    private final RowReader values;
    private final FloatRuns scales;
    private final Blocks blocks;
    private final float[] scaleRow;
    private long scaleRowInMemory = -1;

    ScaledRows(RowReader values, FloatRuns scales, Blocks blocks) {
        this.values = values;
        this.scales = scales;
        this.blocks = blocks;
        this.scaleRow = new float[blocks.scaleColumns];
    }

    @Override
    public void read(long row, int from, int count, float[] into, int at) throws IOException {
        values.read(row, from, count, into, at);
        long wanted = blocks.scaleRow(row);
        if (wanted != scaleRowInMemory) {
            scales.read(wanted * scaleRow.length, scaleRow, 0, scaleRow.length);
            scaleRowInMemory = wanted;
        }
        for (int i = 0; i < count; i++) {
            into[at + i] *= scaleRow[(from + i) / blocks.blockColumns];
        }
    }
}
