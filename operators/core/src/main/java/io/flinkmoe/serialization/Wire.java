// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.serialization;

import io.flinkmoe.tensor.Floats;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
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

    /** So many different strings are remembered while strings are read. */
    private static final int MAX_SEEN = 128;

    /** Strings mostly differ in their last characters. */
    private static final int HASHED = 4;

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

    public static void writeShorts(short[] shorts, DataOutputView out) throws IOException {
        out.writeInt(shorts.length);
        byte[] bytes = new byte[shorts.length * Short.BYTES];
        ByteBuffer.wrap(bytes).asShortBuffer().put(shorts);
        out.write(bytes);
    }

    public static short[] readShorts(DataInputView in) throws IOException {
        short[] shorts = new short[in.readInt()];
        byte[] bytes = new byte[shorts.length * Short.BYTES];
        in.readFully(bytes);
        ByteBuffer.wrap(bytes).asShortBuffer().get(shorts);
        return shorts;
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

    /**
     * Writes strings in one bulk operation: the streams of a checkpoint write and read single bytes
     * slowly. Each string has its number of chars plus one (0: null) and the number of bytes beyond
     * one per char, then its chars in one to three bytes each.
     */
    public static void writeStrings(String[] strings, DataOutputView out) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(size(strings));
        for (String string : strings) {
            if (string == null) {
                putSize(0, buffer);
                continue;
            }
            int extra = extraBytes(string);
            putSize(string.length() + 1, buffer);
            putSize(extra, buffer);
            putChars(string, extra, buffer);
        }
        out.writeInt(strings.length);
        out.writeInt(buffer.position());
        out.write(buffer.array(), 0, buffer.position());
    }

    /**
     * Reads strings. Most that are equal become one object: the tokens of a block have few streams,
     * and a window with a string for each token would keep the garbage collector busy.
     */
    public static String[] readStrings(DataInputView in) throws IOException {
        String[] strings = new String[in.readInt()];
        ByteBuffer buffer = ByteBuffer.wrap(readBytes(in));
        int slots = Integer.highestOneBit(Math.max(1, Math.min(strings.length, MAX_SEEN)));
        String[] seen = new String[slots];
        for (int i = 0; i < strings.length; i++) {
            int length = getSize(buffer) - 1;
            strings[i] = length < 0 ? null : getString(length, getSize(buffer), buffer, seen);
        }
        return strings;
    }

    private static String getString(int length, int extra, ByteBuffer buffer, String[] seen) {
        if (extra > 0) {
            return getChars(length, extra, buffer);
        }
        byte[] bytes = buffer.array();
        int from = buffer.position();
        int hash = length;
        for (int i = Math.max(0, length - HASHED); i < length; i++) {
            hash = 31 * hash + bytes[from + i];
        }
        int slot = hash & seen.length - 1;
        if (seen[slot] == null || !isAt(seen[slot], length, bytes, from)) {
            seen[slot] = getChars(length, extra, buffer);
        }
        buffer.position(from + length);
        return seen[slot];
    }

    private static boolean isAt(String string, int length, byte[] bytes, int from) {
        if (string.length() != length) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (string.charAt(i) != bytes[from + i]) {
                return false;
            }
        }
        return true;
    }

    /** An upper bound of the bytes of strings, with five bytes for each of their sizes. */
    private static int size(String[] strings) {
        long bytes = 0;
        for (String string : strings) {
            bytes += string == null ? 5 : 10L + 3L * string.length();
        }
        return Math.toIntExact(bytes);
    }

    private static int extraBytes(String string) {
        int extra = 0;
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            extra += c < 0x80 ? 0 : c < 0x800 ? 1 : 2;
        }
        return extra;
    }

    @SuppressWarnings("deprecation") // Copies the low byte of each char.
    private static void putChars(String string, int extra, ByteBuffer buffer) {
        if (extra == 0) {
            string.getBytes(0, string.length(), buffer.array(), buffer.position());
            buffer.position(buffer.position() + string.length());
            return;
        }
        for (int i = 0; i < string.length(); i++) {
            char c = string.charAt(i);
            if (c < 0x80) {
                buffer.put((byte) c);
            } else if (c < 0x800) {
                buffer.put((byte) (0xC0 | c >> 6)).put((byte) (0x80 | c & 0x3F));
            } else {
                buffer.put((byte) (0xE0 | c >> 12))
                        .put((byte) (0x80 | c >> 6 & 0x3F))
                        .put((byte) (0x80 | c & 0x3F));
            }
        }
    }

    private static String getChars(int length, int extra, ByteBuffer buffer) {
        if (extra == 0) {
            int from = buffer.position();
            buffer.position(from + length);
            return new String(buffer.array(), from, length, StandardCharsets.ISO_8859_1);
        }
        char[] chars = new char[length];
        for (int i = 0; i < length; i++) {
            int first = buffer.get();
            if (first >= 0) {
                chars[i] = (char) first;
            } else if ((first & 0xE0) == 0xC0) {
                chars[i] = (char) ((first & 0x1F) << 6 | buffer.get() & 0x3F);
            } else {
                int middle = (buffer.get() & 0x3F) << 6;
                chars[i] = (char) ((first & 0xF) << 12 | middle | buffer.get() & 0x3F);
            }
        }
        return new String(chars);
    }

    /** Seven bits a byte, the low ones first. */
    private static void putSize(int size, ByteBuffer buffer) {
        int left = size;
        for (; left > 0x7F; left >>>= 7) {
            buffer.put((byte) (left | 0x80));
        }
        buffer.put((byte) left);
    }

    private static int getSize(ByteBuffer buffer) {
        int size = 0;
        for (int shift = 0; ; shift += 7) {
            int next = buffer.get();
            size |= (next & 0x7F) << shift;
            if (next >= 0) {
                return size;
            }
        }
    }
}
