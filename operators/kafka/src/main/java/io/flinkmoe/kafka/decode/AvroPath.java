// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericRecord;
import org.apache.flink.annotation.Internal;

/**
 * Where a path leads in decoded Avro records. It is looked up in the schema once.
 *
 * @param positions for each name the number of the field, or {@link #KEY}
 * @param field the field that the path leads to; null if it leads to a value of a map
 * @param type the declared type there
 * @param isOptional whether a record can lack the value, because of a map or a null on the way
 */
@Internal
record AvroPath(
        FieldPath path, int[] positions, Schema.Field field, Schema type, boolean isOptional) {

    /** The position of a step that is a key of a map. */
    private static final int KEY = -1;

    /**
     * @throws AbsentFieldException if a record lacks the field
     * @throws IllegalArgumentException if the path leads through a value without fields
     */
    static AvroPath of(Schema schema, FieldPath path) {
        int[] positions = new int[path.names().size()];
        Schema type = schema;
        Schema.Field field = null;
        boolean isOptional = false;
        for (int i = 0; i < positions.length; i++) {
            String name = path.names().get(i);
            isOptional |= type.isNullable();
            Schema outer = withoutNull(type);
            if (outer != null && outer.getType() == Schema.Type.MAP) {
                positions[i] = KEY;
                field = null;
                type = outer.getValueType();
                isOptional = true;
            } else if (outer != null && outer.getType() == Schema.Type.RECORD) {
                field = outer.getField(name);
                if (field == null) {
                    throw new AbsentFieldException(
                            "%s is not in the schema; %s has the fields %s"
                                    .formatted(path, outer.getFullName(), names(outer)));
                }
                positions[i] = field.pos();
                type = field.schema();
            } else {
                throw new IllegalArgumentException(
                        "%s is not in the schema: %s is %s, no record and no map"
                                .formatted(path, path.first(i), describe(type)));
            }
        }
        return new AvroPath(path, positions, field, type, isOptional);
    }

    /** Returns the value; null if it is null or not there. */
    Object get(Object record) {
        Object value = record;
        for (int i = 0; i < positions.length && value != null; i++) {
            value =
                    positions[i] == KEY
                            ? entry((Map<?, ?>) value, path.names().get(i))
                            : ((GenericRecord) value).get(positions[i]);
        }
        return value;
    }

    /** The keys are Avro's own texts or Java's. */
    private static Object entry(Map<?, ?> map, String key) {
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (key.contentEquals((CharSequence) entry.getKey())) {
                return entry.getValue();
            }
        }
        return null;
    }

    /** The only type of a schema besides null; null if there are several, or none. */
    static Schema withoutNull(Schema schema) {
        if (!schema.isUnion()) {
            return schema.getType() == Schema.Type.NULL ? null : schema;
        }
        List<Schema> types =
                schema.getTypes().stream()
                        .filter(type -> type.getType() != Schema.Type.NULL)
                        .toList();
        return types.size() == 1 ? types.get(0) : null;
    }

    /** A type in a message. */
    static String describe(Schema type) {
        return type.isUnion()
                ? "a union of "
                        + String.join(
                                ", ", type.getTypes().stream().map(Schema::getFullName).toList())
                : "of the type " + type.getFullName();
    }

    private static String names(Schema record) {
        return String.join(", ", record.getFields().stream().map(Schema.Field::name).toList());
    }
}
