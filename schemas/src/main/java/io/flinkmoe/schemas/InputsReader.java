// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryDecoder;

/**
 * Reads the map {@code inputs} of a token. Its values are booleans, ints, longs, floats, doubles,
 * strings, nulls, arrays of them, and unions of these, in any order. Not thread-safe.
 */
final class InputsReader {

    private static final int NO_UNION = -1;

    private final Schema values;
    private final int mapIndex;
    private final List<Name> names = new ArrayList<>();
    private final BoundedReader text = new BoundedReader();
    private int limit;

    /** A name that was read before: most tokens have the same columns in the same order. */
    private record Name(byte[] bytes, String text) {}

    /**
     * @param field a map, or a union of null and a map
     */
    InputsReader(Schema field) {
        this.mapIndex = field.isUnion() ? field.getIndexNamed("map") : NO_UNION;
        this.values = (field.isUnion() ? field.getTypes().get(mapIndex) : field).getValueType();
    }

    /** Whether a schema is one that this class reads. */
    static boolean canRead(Schema field) {
        if (field.isUnion()) {
            boolean isNullableMap =
                    field.getTypes().size() == 2
                            && field.isNullable()
                            && field.getIndexNamed("map") != null;
            return isNullableMap && canRead(field.getTypes().get(field.getIndexNamed("map")));
        }
        return field.getType() == Schema.Type.MAP && isValue(field.getValueType(), true);
    }

    private static boolean isValue(Schema schema, boolean mayBeArray) {
        return switch (schema.getType()) {
            case NULL, BOOLEAN, INT, LONG, FLOAT, DOUBLE, STRING -> true;
            case UNION -> schema.getTypes().stream().allMatch(t -> isValue(t, mayBeArray));
            case ARRAY ->
                    mayBeArray
                            && schema.getElementType().getType() != Schema.Type.NULL
                            && isValue(schema.getElementType(), false);
            default -> false;
        };
    }

    /**
     * Reads a map, or null.
     *
     * @param mostBytes the bytes of the message
     * @return whether there is a map
     */
    boolean read(BinaryDecoder in, int mostBytes, InputSink sink) throws IOException {
        limit = mostBytes;
        if (mapIndex != NO_UNION && BoundedReader.readBranch(in, 2) != mapIndex) {
            return false;
        }
        int entry = 0;
        for (long count = in.readMapStart(); count != 0; count = in.mapNext()) {
            for (long i = 0; i < count; i++) {
                sink.column(readName(in, entry++));
                readValue(in, values, sink);
            }
        }
        return true;
    }

    private void readValue(BinaryDecoder in, Schema schema, InputSink sink) throws IOException {
        switch (schema.getType()) {
            case NULL -> sink.missing();
            case BOOLEAN -> sink.flag(in.readBoolean());
            case INT -> sink.whole(in.readInt());
            case LONG -> sink.whole(in.readLong());
            case FLOAT -> sink.real(in.readFloat());
            case DOUBLE -> sink.real(in.readDouble());
            case STRING -> sink.text(text.readText(in, limit));
            case UNION -> {
                List<Schema> types = schema.getTypes();
                readValue(in, types.get(BoundedReader.readBranch(in, types.size())), sink);
            }
            default -> readArray(in, schema.getElementType(), sink);
        }
    }

    private void readArray(BinaryDecoder in, Schema items, InputSink sink) throws IOException {
        sink.startVector();
        for (long count = in.readArrayStart(); count != 0; count = in.arrayNext()) {
            if (count > limit) { // Each item takes a byte at least.
                throw new EOFException();
            }
            for (long i = 0; i < count; i++) {
                readValue(in, items, sink);
            }
        }
        sink.endVector();
    }

    private String readName(BinaryDecoder in, int entry) throws IOException {
        text.readBytes(in, limit);
        if (entry < names.size()) {
            Name known = names.get(entry);
            if (text.hasRead(known.bytes)) {
                return known.text;
            }
            names.subList(entry, names.size()).clear();
        }
        String name = text.text();
        if (entry == names.size() && entry < 1 << 10) {
            names.add(new Name(text.bytes(), name));
        }
        return name;
    }
}
