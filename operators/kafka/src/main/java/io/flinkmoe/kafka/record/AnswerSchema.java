// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.column.Column;
import io.flinkmoe.kafka.decode.AvroKept;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaPairCompatibility;
import org.apache.avro.SchemaParseException;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The schema of answers in Avro. It is generated: a record with the name of the records' schema and
 * {@code Answer}, in its namespace. Kept fields have their types. Outputs may be null. {@code
 * choices}, if wanted, is an array of records.
 *
 * <p>Answers can be written with another schema that can read the generated one, such as a schema
 * that others have registered.
 */
@PublicEvolving
public final class AnswerSchema implements Serializable {

    private static final long serialVersionUID = 1L;

    private static final String SUFFIX = "Answer";
    private static final String CHOICE_SUFFIX = "Choice";

    private final AnswerFields fields;
    private final long form;
    private final String generated;
    private final String written;

    private AnswerSchema(AnswerFields fields, long form, Schema generated, Schema written) {
        this.fields = fields;
        this.form = form;
        this.generated = generated.toString();
        this.written = written.toString();
    }

    /**
     * Generates the schema.
     *
     * @param reader the schema that the records are decoded with
     * @throws IllegalArgumentException if a name would be there twice, or is none in Avro
     */
    public static AnswerSchema of(AnswerFields fields, Schema reader) {
        AvroKept kept = AvroKept.of(fields.kept(), reader);
        List<Schema.Field> all = new ArrayList<>(kept.answerFields());
        for (Column output : fields.outputs().columns()) {
            all.add(output(output));
        }
        all.add(new Schema.Field(AnswerFields.MODEL_VERSION, Schema.create(Schema.Type.STRING)));
        String name = reader.getName() + SUFFIX;
        Schema answer = Schema.createRecord(name, null, reader.getNamespace(), false);
        Set<String> names = new HashSet<>();
        kept.answerFields().forEach(field -> addNames(field.schema(), names));
        if (fields.choices().areWanted()) {
            Schema choice = choice(name + CHOICE_SUFFIX, reader.getNamespace());
            requireFree(choice, names);
            all.add(new Schema.Field(AnswerFields.CHOICES, Schema.createArray(choice)));
        }
        requireFree(answer, names);
        answer.setFields(all);
        return new AnswerSchema(fields, kept.form(), answer, answer);
    }

    private static Schema.Field output(Column output) {
        Schema value =
                Schema.create(
                        switch (output.type()) {
                            case FLOAT -> Schema.Type.FLOAT;
                            case DOUBLE -> Schema.Type.DOUBLE;
                            case INT32 -> Schema.Type.INT;
                            case INT64 -> Schema.Type.LONG;
                            case BOOL -> Schema.Type.BOOLEAN;
                            case STRING -> Schema.Type.STRING;
                        });
        Schema type = output.width() == null ? value : Schema.createArray(value);
        try {
            return new Schema.Field(
                    output.name(),
                    Schema.createUnion(Schema.create(Schema.Type.NULL), type),
                    null,
                    Schema.Field.NULL_DEFAULT_VALUE);
        } catch (SchemaParseException e) {
            throw new IllegalArgumentException(
                    "the output %s of the model is no name of a field in Avro; allowed: letters, digits and _, and no digit first"
                            .formatted(output.name()));
        }
    }

    private static Schema choice(String name, String namespace) {
        return SchemaBuilder.record(name)
                .namespace(namespace)
                .fields()
                .name("layer")
                .doc("The number of the layer, from 0.")
                .type()
                .intType()
                .noDefault()
                .name("gate")
                .doc("The gate. Null if there are several, and none gave a weight.")
                .type()
                .unionOf()
                .nullType()
                .and()
                .stringType()
                .endUnion()
                .noDefault()
                .name("expert")
                .doc("The expert. Null if the record could not be routed.")
                .type()
                .unionOf()
                .nullType()
                .and()
                .stringType()
                .endUnion()
                .noDefault()
                .requiredFloat("weight")
                .requiredString("outcome")
                .endRecord();
    }

    private static void addNames(Schema type, Set<String> names) {
        switch (type.getType()) {
            case RECORD -> {
                if (names.add(type.getFullName())) {
                    type.getFields().forEach(field -> addNames(field.schema(), names));
                }
            }
            case ENUM, FIXED -> names.add(type.getFullName());
            case ARRAY -> addNames(type.getElementType(), names);
            case MAP -> addNames(type.getValueType(), names);
            case UNION -> type.getTypes().forEach(one -> addNames(one, names));
            default -> {}
        }
    }

    private static void requireFree(Schema own, Set<String> names) {
        if (names.contains(own.getFullName())) {
            throw new IllegalArgumentException(
                    "a kept field has the type %s, which is the name of a record of the answer; allowed: fields with other types"
                            .formatted(own.getFullName()));
        }
    }

    /**
     * Writes answers with another schema. The generated one takes its name.
     *
     * @throws IllegalArgumentException if the schema cannot read the generated one; the message
     *     says why
     */
    public AnswerSchema writtenWith(Schema other) {
        if (other.getType() != Schema.Type.RECORD) {
            throw new IllegalArgumentException(
                    "the answer's schema is of the type %s; allowed: a record"
                            .formatted(other.getFullName()));
        }
        Schema named = named(generated(), other.getName(), other.getNamespace());
        SchemaPairCompatibility found =
                SchemaCompatibility.checkReaderWriterCompatibility(other, named);
        if (found.getType() != SchemaCompatibility.SchemaCompatibilityType.COMPATIBLE) {
            throw new IllegalArgumentException(
                    "answers cannot be written with the schema %s: %s"
                            .formatted(other.getFullName(), reasons(found)));
        }
        return new AnswerSchema(fields, form, named, other);
    }

    private static Schema named(Schema schema, String name, String namespace) {
        Schema copy = Schema.createRecord(name, schema.getDoc(), namespace, false);
        copy.setFields(
                schema.getFields().stream()
                        .map(field -> new Schema.Field(field, field.schema()))
                        .toList());
        return copy;
    }

    private static String reasons(SchemaPairCompatibility found) {
        return String.join(
                "; ",
                found.getResult().getIncompatibilities().stream()
                        .map(
                                one ->
                                        "%s at %s (%s)"
                                                .formatted(
                                                        one.getType(),
                                                        one.getLocation(),
                                                        one.getMessage()))
                        .toList());
    }

    /** The schema that answers are written with. */
    public Schema schema() {
        return RecordEncoding.parse(written);
    }

    /** The generated schema. */
    public Schema generated() {
        return RecordEncoding.parse(generated);
    }

    AnswerFields fields() {
        return fields;
    }

    /** The form of payloads with the kept fields. */
    long form() {
        return form;
    }
}
