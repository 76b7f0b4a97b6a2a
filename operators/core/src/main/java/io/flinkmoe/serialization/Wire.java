// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.serialization;

import io.flinkmoe.tensor.Floats;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.StringValue;

/**
 * Writes and reads arrays: the length, then the entries. Arrays of numbers are written in one bulk
 * operation. A null array of bytes or floats has the length -1.
 */
@Internal
public final class Wire {

    private Wire() {}

    public static void writeBytes(byte[] bytes, DataOutputView out) throws IOException {
        out.writeInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) {
            out.write(bytes);
        }
    }

    public static byte[] readBytes(DataInputView in) throws IOException {
        int length = in.readInt();
        if (length < 0) {
            return null;
        }
        byte[] bytes = new byte[length];
        in.readFully(bytes);
        return bytes;
    }

    public static void writeBooleans(boolean[] flags, DataOutputView out) throws IOException {
        byte[] bytes = new byte[flags.length];
        for (int i = 0; i < flags.length; i++) {
            bytes[i] = (byte) (flags[i] ? 1 : 0);
        }
        writeBytes(bytes, out);
    }

    public static boolean[] readBooleans(DataInputView in) throws IOException {
        byte[] bytes = readBytes(in);
        boolean[] flags = new boolean[bytes.length];
        for (int i = 0; i < flags.length; i++) {
            flags[i] = bytes[i] != 0;
        }
        return flags;
    }

    public static void writeFloats(float[] floats, DataOutputView out) throws IOException {
        writeBytes(floats == null ? null : Floats.toBytes(floats), out);
    }

    public static float[] readFloats(DataInputView in) throws IOException {
        byte[] bytes = readBytes(in);
        return bytes == null ? null : Floats.toFloats(bytes);
    }

    public static void writeInts(int[] ints, DataOutputView out) throws IOException {
        out.writeInt(ints.length);
        byte[] bytes = new byte[ints.length * Integer.BYTES];
        ByteBuffer.wrap(bytes).asIntBuffer().put(ints);
        out.write(bytes);
    }

    public static int[] readInts(DataInputView in) throws IOException {
        int[] ints = new int[in.readInt()];
        byte[] bytes = new byte[ints.length * Integer.BYTES];
        in.readFully(bytes);
        ByteBuffer.wrap(bytes).asIntBuffer().get(ints);
        return ints;
    }

    public static void writeLongs(long[] longs, DataOutputView out) throws IOException {
        out.writeInt(longs.length);
        byte[] bytes = new byte[longs.length * Long.BYTES];
        ByteBuffer.wrap(bytes).asLongBuffer().put(longs);
        out.write(bytes);
    }

    public static long[] readLongs(DataInputView in) throws IOException {
        long[] longs = new long[in.readInt()];
        byte[] bytes = new byte[longs.length * Long.BYTES];
        in.readFully(bytes);
        ByteBuffer.wrap(bytes).asLongBuffer().get(longs);
        return longs;
    }

    /** Writes a string of any length, or null. */
    public static void writeString(String string, DataOutputView out) throws IOException {
        StringValue.writeString(string, out);
    }

    public static String readString(DataInputView in) throws IOException {
        return StringValue.readString(in);
    }

    public static void writeStrings(String[] strings, DataOutputView out) throws IOException {
        out.writeInt(strings.length);
        for (String string : strings) {
            writeString(string, out);
        }
    }

    public static String[] readStrings(DataInputView in) throws IOException {
        String[] strings = new String[in.readInt()];
        for (int i = 0; i < strings.length; i++) {
            strings[i] = readString(in);
        }
        return strings;
    }
}
