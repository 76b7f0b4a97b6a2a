// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.packed.MatrixView;
import io.flinkmoe.tensor.FloatBlocks;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The matrices of one expert in tensors that hold those of all N experts. With the inner width f,
 * they are output-major, [N, 2f, d] and [N, d, f], or transposed, [N, d, 2f] and [N, f, d]. No
 * shapes are both.
 */
@Internal
final class FusedNetworks {

    /** Finds a weight by its name among the experts. */
    interface Source {
        StoredWeight get(String name) throws IOException;
    }

    /** Makes the error about a shape. */
    interface WrongShape {
        CheckpointException of(StoredWeight weight, String expected) throws IOException;
    }

    /**
     * @param gate [f, d]; null for a plain expert
     * @param up [f, d]
     * @param down [d, f]
     * @param inner f
     */
    record Matrices(FloatBlocks gate, FloatBlocks up, FloatBlocks down, int inner) {}

    private final Source source;
    private final WrongShape wrongShape;
    private final int n;
    private final int d;

    FusedNetworks(Source source, WrongShape wrongShape, int n, int d) {
        this.source = source;
        this.wrongShape = wrongShape;
        this.n = n;
        this.d = d;
    }

    /**
     * Gate and up projection in one tensor.
     *
     * @param interleaved whether they alternate; otherwise the gate projection comes first
     */
    Matrices merged(List<String> names, int expert, boolean interleaved) throws IOException {
        StoredWeight gateUp = source.get(names.get(0));
        StoredWeight down = source.get(names.get(1));
        boolean isTransposed = isTransposed(gateUp, down, 2);
        int f = down.dim(isTransposed ? 1 : 2);
        int step = interleaved ? 2 : 1;
        int second = interleaved ? 1 : f;
        if (isTransposed) {
            long row = (long) expert * d;
            return new Matrices(
                    gateUp.blocks(new MatrixView(row, 1, d, 0, step, f, true)),
                    gateUp.blocks(new MatrixView(row, 1, d, second, step, f, true)),
                    down.blocks(MatrixView.of((long) expert * f, f, d).transpose()),
                    f);
        }
        long row = 2L * expert * f;
        return new Matrices(
                gateUp.blocks(new MatrixView(row, step, f, 0, 1, d, false)),
                gateUp.blocks(new MatrixView(row + second, step, f, 0, 1, d, false)),
                down.blocks(MatrixView.of((long) expert * d, d, f)),
                f);
    }

    /** The two matrices of a plain expert. */
    Matrices plain(List<String> names, int expert) throws IOException {
        StoredWeight up = source.get(names.get(0));
        StoredWeight down = source.get(names.get(1));
        boolean isTransposed = isTransposed(up, down, 1);
        int f = down.dim(isTransposed ? 1 : 2);
        if (isTransposed) {
            return new Matrices(
                    null,
                    up.blocks(MatrixView.of((long) expert * d, d, f).transpose()),
                    down.blocks(MatrixView.of((long) expert * f, f, d).transpose()),
                    f);
        }
        return new Matrices(
                null,
                up.blocks(MatrixView.of((long) expert * f, f, d)),
                down.blocks(MatrixView.of((long) expert * d, d, f)),
                f);
    }

    /**
     * Three tensors [N · f, d] (DBRX), or [N, f, d].
     *
     * @param downTransposed whether the last one is [f, d] per expert; otherwise it is [N · d, f]
     */
    Matrices stacked(List<String> names, int expert, boolean downTransposed) throws IOException {
        StoredWeight gate = source.get(names.get(0));
        StoredWeight up = source.get(names.get(1));
        StoredWeight down = source.get(names.get(2));
        int f = Math.max(rowsOf(gate), rowsOf(up));
        require(gate, f, d);
        require(up, f, d);
        require(down, downTransposed ? f : d, downTransposed ? d : f);
        MatrixView view = MatrixView.of((long) expert * f, f, d);
        return new Matrices(
                gate.blocks(view),
                up.blocks(view),
                downTransposed
                        ? down.blocks(view.transpose())
                        : down.blocks(MatrixView.of((long) expert * d, d, f)),
                f);
    }

    /** The rows per expert, or 0 if the shape cannot be right. */
    private int rowsOf(StoredWeight weight) {
        long rows = 1;
        for (int i = 0; i < weight.shape().length - 1; i++) {
            rows *= weight.shape()[i];
        }
        boolean fits = weight.columns() == d && rows % n == 0;
        return fits ? Math.toIntExact(rows / n) : 0;
    }

    private void require(StoredWeight weight, int rows, int columns) throws IOException {
        long[] flat = {(long) n * rows, columns};
        long[] deep = {n, rows, columns};
        if (!Arrays.equals(weight.shape(), flat) && !Arrays.equals(weight.shape(), deep)) {
            throw wrongShape.of(weight, Arrays.toString(flat));
        }
    }

    /**
     * Whether the tensors are transposed.
     *
     * @param times how often f is in the first tensor: 2 with a gate
     */
    private boolean isTransposed(StoredWeight first, StoredWeight last, int times)
            throws IOException {
        long[] a = first.shape();
        long[] b = last.shape();
        boolean firstIsPlain = a.length == 3 && a[0] == n && a[2] == d && a[1] % times == 0;
        boolean firstIsTransposed = a.length == 3 && a[0] == n && a[1] == d && a[2] % times == 0;
        boolean areThree = b.length == 3 && b[0] == n;
        if (firstIsPlain && areThree && b[1] == d && times * b[2] == a[1]) {
            return false;
        }
        if (firstIsTransposed && areThree && b[2] == d && times * b[1] == a[2]) {
            return true;
        }
        String f = times == 2 ? "2f" : "f";
        if (!firstIsPlain && !firstIsTransposed) {
            throw wrongShape.of(
                    first,
                    "[%d, %s, %d], or [%d, %d, %s] if transposed,".formatted(n, f, d, n, d, f));
        }
        long inner = (firstIsPlain ? a[1] : a[2]) / times;
        throw wrongShape.of(
                last,
                "[%d, %d, %d], or [%d, %d, %d] if transposed,".formatted(n, d, inner, n, inner, d));
    }
}
