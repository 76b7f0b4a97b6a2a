// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.flink.annotation.Internal;

/** What a reader's schema makes of records that were written with another one. */
@Internal
final class ReaderSchema {

    private ReaderSchema() {}

    /**
     * Returns a schema with the default null for each field without a default that may be null. A
     * record that was written without such a field then has null there. The schema asks for no
     * strings of Java's, which would have lost the bytes that are no UTF-8.
     */
    static Schema of(Schema schema) {
        return adapt(schema, new HashMap<>());
    }

    private static Schema adapt(Schema schema, Map<String, Schema> records) {
        return switch (schema.getType()) {
            case RECORD -> {
                Schema known = records.get(schema.getFullName());
                yield known != null ? known : record(schema, records);
            }
            case STRING ->
                    schema.getObjectProp(GenericData.STRING_PROP) == null
                            ? schema
                            : copyProps(schema, Schema.create(Schema.Type.STRING));
            case ARRAY ->
                    copyProps(schema, Schema.createArray(adapt(schema.getElementType(), records)));
            case MAP -> copyProps(schema, Schema.createMap(adapt(schema.getValueType(), records)));
            case UNION ->
                    Schema.createUnion(
                            schema.getTypes().stream().map(type -> adapt(type, records)).toList());
            default -> schema;
        };
    }

    private static Schema copyProps(Schema from, Schema to) {
        from.forEachProperty(
                (name, value) -> {
                    if (!name.equals(GenericData.STRING_PROP)) {
                        to.addProp(name, value);
                    }
                });
        return to;
    }

    private static Schema record(Schema schema, Map<String, Schema> records) {
        Schema copy =
                Schema.createRecord(
                        schema.getName(), schema.getDoc(), schema.getNamespace(), schema.isError());
        records.put(schema.getFullName(), copy);
        copyProps(schema, copy);
        schema.getAliases().forEach(copy::addAlias);
        List<Schema.Field> fields = new ArrayList<>();
        for (Schema.Field field : schema.getFields()) {
            Schema type = adapt(field.schema(), records);
            fields.add(
                    !field.hasDefaultValue() && type.isNullable() && type.isUnion()
                            ? withNull(field, type)
                            : new Schema.Field(field, type));
        }
        copy.setFields(fields);
        return copy;
    }

    /** A default belongs to the first type of a union. */
    private static Schema.Field withNull(Schema.Field field, Schema union) {
        List<Schema> types = new ArrayList<>();
        types.add(Schema.create(Schema.Type.NULL));
        union.getTypes().stream()
                .filter(type -> type.getType() != Schema.Type.NULL)
                .forEach(types::add);
        Schema.Field copy =
                new Schema.Field(
                        field.name(),
                        Schema.createUnion(types),
                        field.doc(),
                        Schema.Field.NULL_DEFAULT_VALUE,
                        field.order());
        field.aliases().forEach(copy::addAlias);
        field.forEachProperty(copy::addProp);
        return copy;
    }

    /** The paths of a writer's fields that the reader does not have. */
    static List<String> dropped(Schema writer, Schema reader) {
        List<String> dropped = new ArrayList<>();
        addDropped(writer, reader, "", new HashSet<>(), dropped);
        return dropped;
    }

    private static void addDropped(
            Schema writer, Schema reader, String prefix, Set<String> seen, List<String> dropped) {
        Schema from = recordOf(writer);
        Schema to = recordOf(reader);
        if (from == null || to == null || !seen.add(from.getFullName())) {
            return;
        }
        for (Schema.Field field : from.getFields()) {
            Schema.Field known = find(to, field.name());
            if (known == null) {
                dropped.add(prefix + field.name());
            } else {
                addDropped(
                        field.schema(), known.schema(), prefix + field.name() + '.', seen, dropped);
            }
        }
    }

    private static Schema.Field find(Schema reader, String name) {
        for (Schema.Field field : reader.getFields()) {
            if (field.name().equals(name) || field.aliases().contains(name)) {
                return field;
            }
        }
        return null;
    }

    /** The record that a schema is, or has inside as the only type besides null. */
    private static Schema recordOf(Schema schema) {
        Schema type = AvroPath.withoutNull(schema);
        if (type != null && type.getType() == Schema.Type.ARRAY) {
            return recordOf(type.getElementType());
        } else if (type != null && type.getType() == Schema.Type.MAP) {
            return recordOf(type.getValueType());
        }
        return type != null && type.getType() == Schema.Type.RECORD ? type : null;
    }
}
