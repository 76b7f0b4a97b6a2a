// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.packed.MatrixView;
import io.flinkmoe.model.packed.PackedMatrix;
import io.flinkmoe.model.packed.RowBlocks;
import io.flinkmoe.model.packed.RowReader;
import io.flinkmoe.tensor.FloatBlocks;
import io.flinkmoe.tensor.FloatCheck;
import io.flinkmoe.tensor.MatrixSlice;
import io.flinkmoe.tensor.SafetensorsException;
import org.apache.flink.annotation.Internal;

/**
 * A weight of a checkpoint, packed or not.
 *
 * @param name the name of its tensor, for messages
 * @param shape its shape when unpacked: [rows, columns], or [N, rows, columns]
 * @param packed reads its rows; null if it is not packed
 * @param plain its tensor if it is not packed, else null
 */
@Internal
record StoredWeight(String name, long[] shape, RowReader.Source packed, PackedMatrix.Stored plain) {

    /** The size of a dimension. */
    int dim(int index) {
        return Math.toIntExact(shape[index]);
    }

    int columns() {
        return dim(shape.length - 1);
    }

    /** A matrix inside it, which is read when it is written elsewhere. */
    FloatBlocks blocks(MatrixView view) throws SafetensorsException {
        int columns = columns();
        if (packed == null && view.columnStep() == 1) {
            MatrixSlice slice =
                    new MatrixSlice(
                            view.firstRow() * columns + view.firstColumn(),
                            view.rows(),
                            view.columns(),
                            (long) view.rowStep() * columns,
                            view.transposed());
            return plain.file().blocks(plain.tensor(), slice, FloatCheck.FINITE);
        }
        return new RowBlocks(
                packed == null ? () -> PackedMatrix.plain(plain, columns) : packed, view);
    }

    /** The whole matrix; there must be only one. */
    FloatBlocks blocks() throws SafetensorsException {
        return blocks(MatrixView.of(0, dim(0), columns()));
    }
}
