// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FloatsTest {

    private static final float[] SPECIAL = {
        0f, -0f, Float.MIN_VALUE, -Float.MAX_VALUE, Float.NaN, Float.NEGATIVE_INFINITY, 1f / 3
    };

    @Test
    void isLittleEndian() {
        assertThat(Floats.toBytes(new float[] {1f, -2f}))
                .containsExactly(0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0xc0);
    }

    @Test
    void givesBackTheSameBits() {
        float oddNaN = Float.intBitsToFloat(0x7fc12345);
        float[] values = Arrays.copyOf(SPECIAL, SPECIAL.length + 1);
        values[SPECIAL.length] = oddNaN;
        assertThat(bits(Floats.toFloats(Floats.toBytes(values)))).isEqualTo(bits(values));
        assertThat(Floats.toBytes(new float[0])).isEmpty();
        assertThat(Floats.toFloats(new byte[0])).isEmpty();
    }

    @Test
    void roundsToTheNearestHalf() {
        for (int bits = 0; bits < 0x7c00; bits++) {
            float half = half(bits);
            float next = bits == 0x7bff ? 65536 : half(bits + 1);
            float middle = (half + next) / 2;
            assertThat(Floats.toHalf(half)).isEqualTo((short) bits);
            assertThat(Floats.toHalf(-half)).isEqualTo((short) (bits | 0x8000));
            assertThat(Floats.toHalf(Math.nextDown(middle))).isEqualTo((short) bits);
            assertThat(Floats.toHalf(Math.nextUp(middle))).isEqualTo((short) (bits + 1));
            assertThat(Floats.toHalf(middle)).isEqualTo((short) (bits + (bits & 1)));
        }
        assertThat(Floats.toHalf(Float.POSITIVE_INFINITY)).isEqualTo((short) 0x7c00);
        assertThat(Floats.toHalf(-Float.MAX_VALUE)).isEqualTo((short) 0xfc00);
        assertThat(Floats.toHalf(Float.NaN)).isEqualTo((short) 0x7e00);
    }

    /** The value of a finite, positive float16. */
    private static float half(int bits) {
        int exponent = bits >> 10;
        int fraction = bits & 0x3ff;
        return exponent == 0
                ? fraction * 0x1p-24f
                : (float) ((1024 + fraction) * Math.pow(2, exponent - 25));
    }

    @Test
    void getsAndPutsAtAnyOffset() {
        float[] source = gaussian(20, 1);
        byte[] bytes = Floats.toBytes(source);
        for (int from = 0; from <= 20; from++) {
            for (int count = 0; from + count <= 20; count++) {
                for (int at : new int[] {0, 3}) {
                    float[] expected = new float[24];
                    System.arraycopy(source, from, expected, at, count);

                    float[] got = new float[24];
                    Floats.get(bytes, from, got, at, count);
                    assertThat(got).as("get %d from %d to %d", count, from, at).isEqualTo(expected);

                    byte[] put = new byte[24 * Float.BYTES];
                    Floats.put(source, from, put, at, count);
                    assertThat(put)
                            .as("put %d from %d to %d", count, from, at)
                            .isEqualTo(Floats.toBytes(expected));
                }
            }
        }
    }

    @Test
    void copiesOneRow() {
        byte[] from = Floats.toBytes(new float[] {1, 2, 3, 4, 5, 6});
        byte[] into = new byte[9 * Float.BYTES];
        Floats.copyRow(from, 1, into, 2, 3);
        assertThat(Floats.toFloats(into)).containsExactly(0, 0, 0, 0, 0, 0, 4, 5, 6);
    }

    /** The result for floats, which must equal the result for their bytes. */
    private static boolean allFinite(float[] values, int from, int count) {
        boolean finite = Floats.allFinite(values, from, count);
        assertThat(Floats.allFinite(Floats.toBytes(values), from, count)).isEqualTo(finite);
        return finite;
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void seesAValueThatIsNotFiniteAtEveryPlace(float bad) {
        float[] values = gaussian(67, 2);
        for (int i = 0; i < values.length; i++) {
            float good = values[i];
            values[i] = bad;
            assertThat(allFinite(values, 0, values.length)).as("%s at %d", bad, i).isFalse();
            assertThat(allFinite(values, i, 1)).isFalse();
            assertThat(allFinite(values, 0, i)).as("before %d", i).isTrue();
            assertThat(allFinite(values, i + 1, values.length - i - 1)).isTrue();
            values[i] = good;
        }
    }

    @Test
    void takesTheLargestValuesForFinite() {
        float[] values = new float[64];
        Arrays.fill(values, Float.MAX_VALUE);
        assertThat(allFinite(values, 0, 64)).isTrue();
        Arrays.fill(values, 0, 32, -Float.MAX_VALUE);
        assertThat(allFinite(values, 0, 64)).isTrue();
        assertThat(allFinite(values, 5, 0)).isTrue();
    }

    @Test
    void doesNotLetOppositeInfinitiesCancel() {
        float[] values = {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
        assertThat(allFinite(values, 0, 2)).isFalse();
    }

    @Test
    void addsAScaledRowAndTouchesNothingElse() {
        float[] sum = {1, 2, 9};
        Floats.addScaled(sum, 0.5f, new float[] {4, 6, 7}, 2);
        assertThat(sum).containsExactly(3, 5, 9);
    }

    @Test
    void roundsProductAndSumEach() {
        float[] sums = gaussian(1_000, 3);
        float[] values = gaussian(1_000, 4);
        float[] expected = sums.clone();
        float weight = 1f / 3;
        for (int i = 0; i < expected.length; i++) {
            float product = weight * values[i];
            expected[i] = expected[i] + product;
        }
        Floats.addScaled(sums, weight, values, 1_000);
        assertThat(bits(sums)).isEqualTo(bits(expected));
    }

    private static int[] bits(float[] values) {
        int[] bits = new int[values.length];
        Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
        return bits;
    }

    private static float[] gaussian(int count, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
