// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/** Numbers at places of a byte array, little endian. A bool takes 4 bytes, of which one counts. */
@Internal
final class PackedNumbers {

    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private PackedNumbers() {}

    static void putFloat(byte[] bytes, int at, float value) {
        INT.set(bytes, at, Float.floatToRawIntBits(value));
    }

    static void putDouble(byte[] bytes, int at, double value) {
        LONG.set(bytes, at, Double.doubleToRawLongBits(value));
    }

    static void putInt(byte[] bytes, int at, int value) {
        INT.set(bytes, at, value);
    }

    static void putLong(byte[] bytes, int at, long value) {
        LONG.set(bytes, at, value);
    }

    static float getFloat(byte[] bytes, int at) {
        return Float.intBitsToFloat((int) INT.get(bytes, at));
    }

    static double getDouble(byte[] bytes, int at) {
        return Double.longBitsToDouble((long) LONG.get(bytes, at));
    }

    static int getInt(byte[] bytes, int at) {
        return (int) INT.get(bytes, at);
    }

    static long getLong(byte[] bytes, int at) {
        return (long) LONG.get(bytes, at);
    }
}
