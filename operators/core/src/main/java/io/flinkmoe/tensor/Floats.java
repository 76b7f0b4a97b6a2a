// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.apache.flink.annotation.Internal;

/**
 * Row-major float32 matrices as little-endian byte arrays, the form in which vectors are sent
 * between operators. All copies are in bulk. Offsets and lengths count floats, not bytes.
 */
@Internal
public final class Floats {

    private static final VarHandle INTS =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private Floats() {}

    /** Copies {@code count} floats out of {@code bytes}. */
    public static void get(byte[] bytes, int from, float[] into, int at, int count) {
        view(bytes).get(from, into, at, count);
    }

    /** Copies {@code count} floats into {@code bytes}. */
    public static void put(float[] values, int from, byte[] into, int at, int count) {
        view(into).put(at, values, from, count);
    }

    /** All of {@code bytes} as floats. */
    public static float[] toFloats(byte[] bytes) {
        float[] floats = new float[bytes.length / Float.BYTES];
        get(bytes, 0, floats, 0, floats.length);
        return floats;
    }

    /** All of {@code values} as bytes. */
    public static byte[] toBytes(float[] values) {
        byte[] bytes = new byte[values.length * Float.BYTES];
        put(values, 0, bytes, 0, values.length);
        return bytes;
    }

    /** Copies one row of {@code width} floats between two matrices. */
    public static void copyRow(byte[] from, int row, byte[] into, int intoRow, int width) {
        int bytes = width * Float.BYTES;
        System.arraycopy(from, row * bytes, into, intoRow * bytes, bytes);
    }

    /** Whether {@code count} floats from {@code from} on are neither NaN nor infinite. */
    public static boolean allFinite(float[] values, int from, int count) {
        // The addition carries into the sign bit only if all bits of the exponent are ones, which
        // means NaN or infinite. Unlike a sum of floats, the "or"s are independent of each other.
        int bits = 0;
        for (int i = from; i < from + count; i++) {
            bits |= (Float.floatToRawIntBits(values[i]) & 0x7fffffff) + 0x00800000;
        }
        return bits >= 0;
    }

    /** The same for floats stored as bytes; it checks two floats at a time. */
    public static boolean allFinite(byte[] floats, int from, int count) {
        long bits = 0;
        int end = (from + count) * Float.BYTES;
        int at = from * Float.BYTES;
        for (; at < end - Float.BYTES; at += Long.BYTES) {
            bits |= ((long) LONGS.get(floats, at) & 0x7fffffff_7fffffffL) + 0x00800000_00800000L;
        }
        if (at < end) {
            bits |= ((int) INTS.get(floats, at) & 0x7fffffff) + 0x00800000;
        }
        return (bits & 0x80000000_80000000L) == 0;
    }

    /** Multiplies the first {@code width} values. */
    public static void scale(float[] values, float factor, int width) {
        for (int i = 0; i < width; i++) {
            values[i] *= factor;
        }
    }

    /**
     * {@code sum[i] += weight * values[i]} over one row: one step of the combine. Product and sum
     * are rounded separately, so every caller that adds in order of rank gets the same bits. Both
     * rows begin at index 0: with offsets the JVM does not vectorize the loop, which then takes
     * four times as long.
     */
    public static void addScaled(float[] sum, float weight, float[] values, int width) {
        for (int i = 0; i < width; i++) {
            sum[i] += weight * values[i];
        }
    }

    /** The nearest bfloat16, ties to even; NaN stays NaN. */
    public static short toBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) 0x7fc0;
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /** The nearest float16, ties to even. Values that are too large become infinite. */
    public static short toHalf(float value) {
        int bits = Float.floatToRawIntBits(value);
        int sign = bits >>> 16 & 0x8000;
        int magnitude = bits & 0x7fffffff;
        if (magnitude > 0x7f800000) {
            return (short) (sign | 0x7e00); // NaN
        }
        if (magnitude >= 0x477ff000) {
            return (short) (sign | 0x7c00); // 65520 and above
        }
        if (magnitude < 0x38800000) {
            // Below 2^-14, float16 values are multiples of 2^-24.
            return (short) (sign | (int) Math.rint(Math.abs(value) * 0x1p24));
        }
        int rounded = magnitude + 0xfff + (magnitude >>> 13 & 1);
        return (short) (sign | rounded - 0x38000000 >>> 13);
    }

    /** The value of a float16. */
    public static float fromHalf(short half) {
        int sign = (half & 0x8000) << 16;
        int exponent = half >> 10 & 0x1f;
        int fraction = half & 0x3ff;
        if (exponent == 0) {
            float magnitude = fraction * 0x1p-24f;
            return sign == 0 ? magnitude : -magnitude;
        }
        int rebiased = exponent == 0x1f ? 0xff : exponent + 112;
        return Float.intBitsToFloat(sign | rebiased << 23 | fraction << 13);
    }

    private static FloatBuffer view(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    }
}
