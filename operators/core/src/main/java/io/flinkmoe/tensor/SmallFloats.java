// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import org.apache.flink.annotation.Internal;

/**
 * The floats of 8 and of 4 bits, s sign, e exponent and m fraction bits (OCP 8-bit Floating Point
 * Specification, OCP Microscaling Formats):
 *
 * <pre>
 *   E4M3  s eeee mmm   bias 7; no infinity; 0x7f and 0xff are NaN; up to 448
 *   E5M2  s eeeee mm   bias 15; with infinities and NaN, the upper half of a float16
 *   E8M0  eeeeeeee     2^(e - 127); 0xff is NaN
 *   E2M1  s ee m       0, 0.5, 1, 1.5, 2, 3, 4, 6
 * </pre>
 */
@Internal
public final class SmallFloats {

    private static final float[] E4M3 = new float[256];
    private static final float[] E5M2 = new float[256];
    private static final float[] E8M0 = new float[256];
    private static final float[] E2M1 = new float[16];

    static {
        for (int bits = 0; bits < 256; bits++) {
            E4M3[bits] = e4m3(bits);
            E5M2[bits] = Floats.fromHalf((short) (bits << 8));
            E8M0[bits] = bits == 255 ? Float.NaN : Math.scalb(1f, bits - 127);
        }
        float[] magnitudes = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
        for (int bits = 0; bits < 16; bits++) {
            E2M1[bits] = (bits & 8) == 0 ? magnitudes[bits & 7] : -magnitudes[bits & 7];
        }
    }

    private SmallFloats() {}

    private static float e4m3(int bits) {
        int exponent = bits >> 3 & 15;
        int fraction = bits & 7;
        float magnitude =
                exponent == 15 && fraction == 7
                        ? Float.NaN
                        : exponent == 0
                                ? Math.scalb((float) fraction, -9)
                                : Math.scalb(8f + fraction, exponent - 10);
        return bits < 128 ? magnitude : -magnitude;
    }

    /**
     * The value of 8 bits.
     *
     * @param type F8_E4M3, F8_E5M2 or F8_E8M0
     */
    static float decode(DType type, byte bits) {
        return switch (type) {
            case F8_E4M3 -> E4M3[bits & 0xff];
            case F8_E5M2 -> E5M2[bits & 0xff];
            case F8_E8M0 -> E8M0[bits & 0xff];
            default -> throw new IllegalArgumentException(type + " has no floats of 8 bits");
        };
    }

    /** The value of 4 bits, E2M1. */
    public static float e2m1(int bits) {
        return E2M1[bits];
    }

    /** The value of 8 bits, E8M0. */
    public static float e8m0(int bits) {
        return E8M0[bits];
    }
}
