// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.avro.LogicalType;
import org.apache.avro.Schema;

/**
 * Which part of a token each field of a writer schema is, in the order of the fields. Fields that
 * are not part of a token are skipped.
 */
final class TokenLayout {

    static final int SKIP = 0;
    static final int STREAM = 1;
    static final int STREAM_OR_NULL = 2;
    static final int POSITION = 3;
    static final int TIMESTAMP = 4;
    static final int VALUES = 5;
    static final int INPUTS = 6;

    private static final List<String> NEEDED = List.of("stream", "position", "timestamp");

    /** The part of each field: one of the constants above. */
    final int[] parts;

    final Schema[] schemas;
    final String[] names;

    /** For {@link #INPUTS}: reads the map. */
    final InputsReader inputs;

    /** For {@link #STREAM_OR_NULL}: the index of null in the union. */
    final int nullIndex;

    /**
     * @throws IllegalArgumentException if the schema is not a token schema, with the reason
     */
    TokenLayout(Schema writer) {
        if (writer.getType() != Schema.Type.RECORD) {
            throw new IllegalArgumentException(
                    "schema %s: a token is a record".formatted(describe(writer)));
        }
        for (String name : NEEDED) {
            if (writer.getField(name) == null) {
                throw new IllegalArgumentException(
                        "schema %s has no field `%s`; a token needs the fields %s, and values or inputs"
                                .formatted(writer.getFullName(), name, String.join(", ", NEEDED)));
            }
        }
        Schema.Field typed = writer.getField("inputs");
        boolean readsInputs = typed != null && InputsReader.canRead(typed.schema());
        if (writer.getField("values") == null && !readsInputs) {
            throw new IllegalArgumentException(
                    "schema %s has no field `values` or `inputs`; a token needs values, an array of float, or inputs, a map of values by column"
                            .formatted(writer.getFullName()));
        }
        inputs = readsInputs ? new InputsReader(typed.schema()) : null;
        List<Schema.Field> fields = writer.getFields();
        parts = new int[fields.size()];
        schemas = new Schema[parts.length];
        names = new String[parts.length];
        for (int i = 0; i < parts.length; i++) {
            names[i] = fields.get(i).name();
            schemas[i] = fields.get(i).schema();
            parts[i] =
                    readsInputs && names[i].equals("inputs")
                            ? INPUTS
                            : part(names[i], schemas[i], writer.getFullName());
        }
        Schema stream = writer.getField("stream").schema();
        nullIndex = stream.isUnion() ? stream.getIndexNamed("null") : -1;
    }

    private static int part(String name, Schema schema, String record) {
        switch (name) {
            case "stream":
                if (isNullableString(schema)) {
                    return STREAM_OR_NULL;
                }
                expect(schema.getType() == Schema.Type.STRING, name, schema, record, "string");
                return STREAM;
            case "position":
                expect(schema.getType() == Schema.Type.LONG, name, schema, record, "long");
                return POSITION;
            case "timestamp":
                expect(
                        isMilliseconds(schema),
                        name,
                        schema,
                        record,
                        "long, with the logical type timestamp-millis or none");
                return TIMESTAMP;
            case "values":
                expect(
                        schema.getType() == Schema.Type.ARRAY
                                && schema.getElementType().getType() == Schema.Type.FLOAT,
                        name,
                        schema,
                        record,
                        "array of float");
                return VALUES;
            default:
                refuseEmptyItems(name, schema, record, new HashSet<>());
                return SKIP;
        }
    }

    private static boolean isNullableString(Schema schema) {
        return schema.isUnion()
                && schema.getTypes().size() == 2
                && schema.isNullable()
                && schema.getIndexNamed("string") != null;
    }

    private static boolean isMilliseconds(Schema schema) {
        LogicalType logical = schema.getLogicalType();
        return schema.getType() == Schema.Type.LONG
                && (logical == null || logical.getName().equals("timestamp-millis"));
    }

    private static void expect(
            boolean ok, String field, Schema found, String record, String expected) {
        if (!ok) {
            throw new IllegalArgumentException(
                    "schema %s: field `%s` is %s; a token needs %s"
                            .formatted(record, field, describe(found), expected));
        }
    }

    private static String describe(Schema schema) {
        LogicalType logical = schema.getLogicalType();
        if (logical != null) {
            return schema.getName() + " (" + logical.getName() + ")";
        }
        return switch (schema.getType()) {
            case ARRAY -> "array of " + describe(schema.getElementType());
            case UNION ->
                    schema.getTypes().stream()
                            .map(TokenLayout::describe)
                            .collect(Collectors.joining(", ", "union of ", ""));
            default -> schema.getFullName();
        };
    }

    /**
     * Rejects arrays whose items take no bytes: a few bytes could announce 2^63 items, and skipping
     * them would take forever.
     */
    private static void refuseEmptyItems(
            String field, Schema schema, String record, Set<String> seen) {
        switch (schema.getType()) {
            case ARRAY -> {
                Schema items = schema.getElementType();
                expect(
                        !isEmpty(items, new HashSet<>()),
                        field,
                        schema,
                        record,
                        "arrays whose items take at least a byte");
                refuseEmptyItems(field, items, record, seen);
            }
            case MAP -> refuseEmptyItems(field, schema.getValueType(), record, seen);
            case UNION -> schema.getTypes().forEach(t -> refuseEmptyItems(field, t, record, seen));
            case RECORD -> {
                if (seen.add(schema.getFullName())) {
                    schema.getFields()
                            .forEach(f -> refuseEmptyItems(field, f.schema(), record, seen));
                }
            }
            default -> {}
        }
    }

    private static boolean isEmpty(Schema schema, Set<String> within) {
        return switch (schema.getType()) {
            case NULL -> true;
            case FIXED -> schema.getFixedSize() == 0;
            case RECORD ->
                    within.add(schema.getFullName())
                            && schema.getFields().stream()
                                    .allMatch(f -> isEmpty(f.schema(), within));
            default -> false;
        };
    }
}
