// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.packed;

import io.flinkmoe.tensor.FloatBlocks;
import java.io.IOException;
import org.apache.flink.annotation.Internal;

/**
 * A matrix inside stored rows, block by block. A transposed one is read as panels of neighbouring
 * columns, so that the memory for it does not depend on its size.
 */
@Internal
public record RowBlocks(RowReader.Source source, MatrixView view) implements FloatBlocks {

    /** The floats of a panel; the more, the fewer and longer are the reads. 16 MiB. */
    private static final int PANEL = 1 << 22;

    @Override
    public long count() {
        return view.count();
    }

    @Override
    public void forEachBlock(Receiver receiver) throws IOException {
        RowReader reader = source.open();
        if (view.transposed()) {
            transposed(reader, receiver);
            return;
        }
        float[] stored = new float[view.span()];
        for (int row = 0; row < view.rows(); row++) {
            reader.read(row(row), view.firstColumn(), stored.length, stored, 0);
            pick(stored, view.columns(), stored);
            receiver.receive(stored, view.columns());
        }
    }

    private void transposed(RowReader reader, Receiver receiver) throws IOException {
        int rows = view.rows();
        int width = Math.min(view.columns(), Math.max(1, PANEL / rows));
        float[] panel = new float[Math.multiplyExact(width, rows)];
        float[] stored = new float[(width - 1) * view.columnStep() + 1];
        for (int column = 0, n; column < view.columns(); column += n) {
            n = Math.min(width, view.columns() - column);
            int from = view.firstColumn() + column * view.columnStep();
            for (int row = 0; row < rows; row++) {
                reader.read(row(row), from, (n - 1) * view.columnStep() + 1, stored, 0);
                for (int c = 0; c < n; c++) {
                    panel[c * rows + row] = stored[c * view.columnStep()];
                }
            }
            receiver.receive(panel, n * rows);
        }
    }

    private long row(int row) {
        return view.firstRow() + (long) row * view.rowStep();
    }

    /** Moves the columns of the view to the front. */
    private void pick(float[] stored, int count, float[] into) {
        for (int c = 0; c < count && view.columnStep() != 1; c++) {
            into[c] = stored[c * view.columnStep()];
        }
    }
}
