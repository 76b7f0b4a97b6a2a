// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.packed;

import io.flinkmoe.tensor.DType;
import io.flinkmoe.tensor.FloatCheck;
import io.flinkmoe.tensor.FloatRuns;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.SmallFloats;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The packed forms in which checkpoints store a matrix, or N matrices in one tensor. w is the value
 * that the model computes with, q what is stored:
 *
 * <pre>
 *   plain   w = q
 *   FP8     w = q · scale, one scale per block, per row or per tensor
 *   groups  w = (q - 2^(bits-1)) · scale, one scale per run of inputs of a row; 4 or 8 bits
 *   FP4     w = q · scale · global (or / global), one scale per run of 16 or 32 inputs of a row
 * </pre>
 *
 * (DeepSeek-V3 {@code inference/kernel.py}; compressed-tensors; ModelOpt; transformers {@code
 * integrations/mxfp4.py}.)
 */
@Internal
public final class PackedMatrix {

    /** A tensor in a file. */
    public record Stored(SafetensorsFile file, String tensor) {

        long[] shape() throws IOException {
            return file.shape(tensor);
        }

        private FloatRuns runs() throws IOException {
            return file.runs(tensor, FloatCheck.FINITE);
        }
    }

    private PackedMatrix() {}

    /** Floats of any type, as they are stored. */
    public static RowReader plain(Stored weight, int columns) throws IOException {
        FloatRuns runs = weight.runs();
        return (row, from, count, into, at) -> runs.read(row * columns + from, into, at, count);
    }

    /**
     * FP8.
     *
     * @param size N, the rows and the columns of each of the N matrices
     * @param block the rows and columns of a block, where the scales are those of blocks
     */
    public static RowReader fp8(Stored weight, Stored scale, int[] size, int[] block)
            throws IOException {
        return new ScaledRows(plain(weight, size[2]), scale.runs(), blocks(scale, size, block));
    }

    /** Which values share a scale, as the shape of the scales says. */
    private static ScaledRows.Blocks blocks(Stored scale, int[] size, int[] block)
            throws IOException {
        long[] shape = scale.shape();
        long count = Arrays.stream(shape).reduce(1, Math::multiplyExact);
        int matrices = size[0];
        int rows = size[1];
        int columns = size[2];
        boolean isVector =
                last(shape) == 1
                        || shape.length == 1
                        || matrices > 1 && shape.length == 2 && shape[0] == matrices;
        if (count == 1) {
            int all = Math.multiplyExact(matrices, rows);
            return new ScaledRows.Blocks(all, all, columns, 1);
        } else if (count == matrices) {
            return new ScaledRows.Blocks(rows, rows, columns, 1);
        } else if (count == (long) matrices * rows && isVector) {
            return new ScaledRows.Blocks(rows, 1, columns, 1);
        }
        int across = ceil(columns, block[1]);
        if (count == (long) matrices * ceil(rows, block[0]) * across && last(shape) == across) {
            return new ScaledRows.Blocks(rows, block[0], block[1], across);
        }
        throw new IOException(
                "tensor %s has shape %s, which is neither one scale, nor one per row, nor one per block of %s of a matrix [%d, %d]"
                        .formatted(
                                scale.tensor,
                                Arrays.toString(shape),
                                Arrays.toString(block),
                                rows,
                                columns));
    }

    private static int ceil(int value, int size) {
        return (value + size - 1) / size;
    }

    /**
     * Integers with one scale per group of inputs (compressed-tensors {@code pack-quantized}),
     * packed into words of 32 bits.
     *
     * @param scale [rows, groups]
     */
    public static RowReader groups(Stored packed, Stored scale, int rows, int columns)
            throws IOException {
        long words = last(packed.shape());
        int bits = words == ceil(columns, 8) ? 4 : 8;
        if (words != ceil(columns, 32 / bits)) {
            throw new IOException(
                    "tensor %s has %d words per row; expected %d of 4 bits or %d of 8 bits each for %d values"
                            .formatted(
                                    packed.tensor,
                                    words,
                                    ceil(columns, 8),
                                    ceil(columns, 4),
                                    columns));
        }
        float[] values = new float[1 << bits];
        for (int q = 0; q < values.length; q++) {
            values[q] = q - (1 << bits - 1);
        }
        RowReader unscaled =
                new BitRows(packed.file, packed.tensor, words * Integer.BYTES, bits, values);
        return new ScaledRows(unscaled, scale.runs(), runs(scale, rows, columns));
    }

    /** One scale per run of neighbouring inputs of a row. */
    private static ScaledRows.Blocks runs(Stored scale, int rows, int columns) throws IOException {
        long[] shape = scale.shape();
        int groups = (int) last(shape);
        if (groups < 1 || columns % groups != 0) {
            throw new IOException(
                    "tensor %s has shape %s; expected a divisor of %d scales per row"
                            .formatted(scale.tensor, Arrays.toString(shape), columns));
        }
        return new ScaledRows.Blocks(rows, 1, columns / groups, groups);
    }

    private static long last(long[] shape) {
        return shape.length == 0 ? 1 : shape[shape.length - 1];
    }

    /**
     * NVFP4: E2M1 with a scale per 16 inputs and a factor for the whole tensor.
     *
     * @param global the factor, one for all or one per matrix
     * @param divides whether the values are divided by the factor
     */
    public static RowReader nvfp4(
            Stored packed, Stored scale, Stored global, int[] size, boolean divides)
            throws IOException {
        int rows = size[0];
        int columns = size[1];
        float[] factors = global.file.floats(global.tensor, FloatCheck.FINITE);
        RowReader unscaled =
                new BitRows(packed.file, packed.tensor, columns / 2, 4, valuesOfE2m1());
        RowReader scaled = new ScaledRows(unscaled, scale.runs(), runs(scale, rows, columns));
        return (row, from, count, into, at) -> {
            scaled.read(row, from, count, into, at);
            float factor = factors[factors.length == 1 ? 0 : (int) (row / rows)];
            for (int i = at; i < at + count; i++) {
                into[i] = divides ? into[i] / factor : into[i] * factor;
            }
        };
    }

    /**
     * MXFP4: E2M1 with a scale 2^(s - 127) per 32 inputs.
     *
     * @param blocks [N, rows, groups, 16] of U8
     * @param scales [N, rows, groups] of U8
     */
    public static RowReader mxfp4(Stored blocks, Stored scales, int columns) throws IOException {
        int groups = columns / 32;
        RowReader unscaled =
                new BitRows(blocks.file, blocks.tensor, columns / 2, 4, valuesOfE2m1());
        ByteBuffer exponents = ByteBuffer.allocate(groups);
        return (row, from, count, into, at) -> {
            unscaled.read(row, from, count, into, at);
            exponents.clear();
            scales.file.readBytes(scales.tensor, row * groups, exponents);
            for (int i = 0; i < count; i++) {
                into[at + i] *= SmallFloats.e8m0(exponents.get((from + i) / 32) & 0xff);
            }
        };
    }

    private static float[] valuesOfE2m1() {
        float[] values = new float[16];
        for (int bits = 0; bits < 16; bits++) {
            values[bits] = SmallFloats.e2m1(bits);
        }
        return values;
    }

    /** Whether a type has floats that need a scale. */
    public static boolean needsScale(DType type) {
        return type == DType.F8_E4M3 || type == DType.F8_E5M2;
    }
}
