// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.SchemaParseException;
import org.apache.flink.annotation.Internal;

/** The kept fields of Avro records, and their types in the answer. */
@Internal
public final class AvroKept {

    private final List<KeptField> fields;
    private final boolean areAll;

    private AvroKept(List<KeptField> fields, boolean areAll) {
        this.fields = fields;
        this.areAll = areAll;
    }

    /**
     * @param reader the schema that the records are decoded with
     * @throws IllegalArgumentException if it lacks a field, or if a name would be in the answer
     *     twice, or cannot be there
     */
    public static AvroKept of(KeptFields wanted, Schema reader) {
        List<KeptField> fields = new ArrayList<>();
        if (wanted.kept() instanceof KeptFields.Some some) {
            some.paths().forEach(path -> fields.add(KeptField.of(AvroPath.of(reader, path))));
        } else {
            for (Schema.Field field : reader.getFields()) {
                wanted.requireFree(field.name());
                FieldPath path = new FieldPath(List.of(field.name()));
                fields.add(KeptField.of(AvroPath.of(reader, path)));
            }
        }
        AvroKept kept = new AvroKept(fields, wanted.kept() instanceof KeptFields.All);
        kept.answerFields(); // Refuses what is no name.
        return kept;
    }

    /**
     * A field.
     *
     * @param type its type in the answer: with null, if a record can lack it
     */
    record KeptField(AvroPath path, Schema type) {

        static KeptField of(AvroPath path) {
            return new KeptField(path, path.isOptional() ? withNull(path.type()) : path.type());
        }

        private Schema.Field answerField() {
            Schema.Field field = path.field();
            String name = path.path().last();
            if (field != null && type == path.type()) {
                return new Schema.Field(field, type);
            }
            try {
                return new Schema.Field(
                        name,
                        type,
                        field == null ? null : field.doc(),
                        isNullFirst(type) ? Schema.Field.NULL_DEFAULT_VALUE : null);
            } catch (SchemaParseException e) {
                throw new IllegalArgumentException(
                        "%s cannot be kept: %s is no name of a field in Avro; allowed: letters, digits and _, and no digit first"
                                .formatted(path.path(), name));
            }
        }
    }

    private static boolean isNullFirst(Schema type) {
        return type.isUnion() && type.getTypes().get(0).getType() == Schema.Type.NULL;
    }

    private static Schema withNull(Schema type) {
        if (type.isNullable()) {
            return type;
        }
        List<Schema> types = new ArrayList<>();
        types.add(Schema.create(Schema.Type.NULL));
        types.addAll(type.isUnion() ? type.getTypes() : List.of(type));
        return Schema.createUnion(types);
    }

    /** The fields. */
    List<KeptField> fields() {
        return fields;
    }

    /** Whether these are all fields of the records. */
    boolean areAll() {
        return areAll;
    }

    /** The fields of the answer. */
    public List<Schema.Field> answerFields() {
        List<Schema.Field> answer = new ArrayList<>();
        fields.forEach(field -> answer.add(field.answerField()));
        return answer;
    }

    /** The form of these fields; see {@link RecordReader.Keeper#form}. */
    public long form() {
        if (fields.isEmpty()) {
            return RecordReader.Keeper.NOTHING;
        }
        return SchemaNormalization.parsingFingerprint64(
                Schema.createRecord("Kept", null, "io.flinkmoe", false, answerFields()));
    }
}
