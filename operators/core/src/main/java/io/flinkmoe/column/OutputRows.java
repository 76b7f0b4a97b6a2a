// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The outputs of a model for T tokens.
 *
 * @param layout the columns of a token
 * @param numbers [T, words], packed and little endian; for a vector its values
 * @param strings [T, S]
 */
@Internal
public record OutputRows(ColumnLayout layout, byte[] numbers, String[] strings) {

    /** T. */
    private int rows() {
        int bytes = layout.words() * Integer.BYTES;
        return bytes == 0 ? strings.length / layout.strings() : numbers.length / bytes;
    }

    /** Whether all values of a token of type float and double are finite. */
    public boolean isFinite(int row) {
        int words = layout.words();
        if (layout.isVector()) {
            return Floats.allFinite(numbers, row * words, words);
        }
        for (int column = 0; column < layout.columns().size(); column++) {
            if (!isFinite(row, column)) {
                return false;
            }
        }
        return true;
    }

    private boolean isFinite(int row, int column) {
        Column spec = layout.columns().get(column);
        int at = row * layout.words() * Integer.BYTES + layout.offset(column);
        for (int i = 0; i < spec.count() && spec.type().isReal(); i++) {
            double value =
                    spec.type() == ColumnType.FLOAT
                            ? PackedNumbers.getFloat(numbers, at + i * Float.BYTES)
                            : PackedNumbers.getDouble(numbers, at + i * Double.BYTES);
            if (!Double.isFinite(value)) {
                return false;
            }
        }
        return true;
    }

    /** Returns the values of a token. */
    public TypedValues row(int row) {
        int bytes = layout.words() * Integer.BYTES;
        int texts = layout.strings();
        return TypedValues.of(
                layout,
                Arrays.copyOfRange(numbers, row * bytes, (row + 1) * bytes),
                Arrays.copyOfRange(strings, row * texts, (row + 1) * texts));
    }

    /** Returns the float values of a token, one column after another. */
    public float[] floats(int row) {
        if (!layout.isVector()) {
            return row(row).floats();
        }
        int width = layout.words();
        float[] values = new float[width];
        Floats.get(numbers, row * width, values, 0, width);
        return values;
    }

    /** Returns the float values of all tokens, [T, values]. */
    public float[] floats() {
        if (layout.isVector()) {
            return Floats.toFloats(numbers);
        }
        float[] all = new float[0];
        for (int row = 0; row < rows(); row++) {
            float[] values = floats(row);
            all = row == 0 ? new float[rows() * values.length] : all;
            System.arraycopy(values, 0, all, row * values.length, values.length);
        }
        return all;
    }

    /** Sets the values of a token to what stands for no answer: NaN, 0, false and empty. */
    public void clear(int row) {
        int bytes = layout.words() * Integer.BYTES;
        Arrays.fill(numbers, row * bytes, (row + 1) * bytes, (byte) 0);
        Arrays.fill(strings, row * layout.strings(), (row + 1) * layout.strings(), "");
        for (int column = 0; column < layout.columns().size(); column++) {
            Column spec = layout.columns().get(column);
            int at = row * bytes + layout.offset(column);
            for (int i = 0; i < spec.count(); i++) {
                if (spec.type() == ColumnType.FLOAT) {
                    PackedNumbers.putFloat(numbers, at + i * Float.BYTES, Float.NaN);
                } else if (spec.type() == ColumnType.DOUBLE) {
                    PackedNumbers.putDouble(numbers, at + i * Double.BYTES, Double.NaN);
                }
            }
        }
    }

    /** Writes the values of a token into its row. */
    public void set(int row, TypedValues values) {
        int bytes = values.numbers().length;
        System.arraycopy(values.numbers(), 0, numbers, row * bytes, bytes);
        int texts = values.strings().length;
        System.arraycopy(values.strings(), 0, strings, row * texts, texts);
    }
}
