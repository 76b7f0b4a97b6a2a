// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.IOException;
import java.lang.reflect.Array;
import java.util.Map;
import org.apache.avro.io.BinaryEncoder;

/** Writes named values as the map of {@code Token.inputs} and {@code ScoredToken.outputs}. */
final class NamedValuesWriter {

    private static final int NULL = 0;
    private static final int BOOLEAN = 1;
    private static final int INT = 2;
    private static final int LONG = 3;
    private static final int FLOAT = 4;
    private static final int DOUBLE = 5;
    private static final int STRING = 6;
    private static final int ARRAY = 7;

    private NamedValuesWriter() {}

    /**
     * Writes a map, or null.
     *
     * @param values each a Boolean, Integer, Long, Float, Double, CharSequence, an array of one of
     *     these types, or null
     */
    static void write(Map<String, ?> values, BinaryEncoder out) throws IOException {
        out.writeIndex(values == null ? 0 : 1);
        if (values == null) {
            return;
        }
        out.writeMapStart();
        out.setItemCount(values.size());
        for (Map.Entry<String, ?> entry : values.entrySet()) {
            out.startItem();
            out.writeString(entry.getKey());
            write(entry.getValue(), out);
        }
        out.writeMapEnd();
    }

    private static void write(Object value, BinaryEncoder out) throws IOException {
        if (value == null) {
            out.writeIndex(NULL);
        } else if (value instanceof Float number) {
            out.writeIndex(FLOAT);
            out.writeFloat(number);
        } else if (value instanceof Long number) {
            out.writeIndex(LONG);
            out.writeLong(number);
        } else if (value instanceof CharSequence text) {
            out.writeIndex(STRING);
            out.writeString(text);
        } else if (value instanceof Integer number) {
            out.writeIndex(INT);
            out.writeInt(number);
        } else if (value instanceof Double number) {
            out.writeIndex(DOUBLE);
            out.writeDouble(number);
        } else if (value instanceof Boolean flag) {
            out.writeIndex(BOOLEAN);
            out.writeBoolean(flag);
        } else {
            writeArray(value, out);
        }
    }

    private static void writeArray(Object array, BinaryEncoder out) throws IOException {
        out.writeIndex(ARRAY);
        out.writeArrayStart();
        int length = Array.getLength(array);
        out.setItemCount(length);
        for (int i = 0; i < length; i++) {
            out.startItem();
            write(Array.get(array, i), out);
        }
        out.writeArrayEnd();
    }
}
