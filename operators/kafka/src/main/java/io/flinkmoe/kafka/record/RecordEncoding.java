// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.kafka.decode.AvroReader;
import io.flinkmoe.kafka.decode.JsonReader;
import io.flinkmoe.kafka.decode.RecordReader;
import io.flinkmoe.kafka.decode.RecordReader.Part;
import io.flinkmoe.kafka.decode.RegistryWriters;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.registry.WriterSchemas;
import java.io.Serializable;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How the values, or the keys, of records are encoded.
 *
 * <p>Avro is decoded with the reader's schema, whatever schema a record was written with. A field
 * that the reader's schema does not have is dropped. A field that a record does not have gets its
 * default, else null if the schema allows it, else the record is a dead letter.
 */
@PublicEvolving
public abstract class RecordEncoding implements Serializable {

    private static final long serialVersionUID = 1L;

    private RecordEncoding() {}

    /** Text in UTF-8, for keys. */
    public static RecordEncoding text() {
        return new Text();
    }

    /** A JSON object. */
    public static RecordEncoding json() {
        return new Json();
    }

    /** Avro without a header; all records were written with one schema. */
    public static RecordEncoding avro(Schema schema) {
        return avro(schema, schema);
    }

    /**
     * Avro without a header.
     *
     * @param writer the schema that all records were written with
     * @param reader the schema that they are decoded with
     */
    public static RecordEncoding avro(Schema writer, Schema reader) {
        return new Avro(requireRecord(writer), requireRecord(reader));
    }

    /**
     * Avro in Confluent's wire format: a header has the id of the writer's schema.
     *
     * @param registry where the schemas are
     * @param reader the schema that records are decoded with
     */
    public static RecordEncoding registry(RegistrySettings registry, Schema reader) {
        return new Registry(registry, requireRecord(reader));
    }

    private static String requireRecord(Schema schema) {
        if (schema.getType() != Schema.Type.RECORD) {
            throw new IllegalArgumentException(
                    "the schema is of the type %s; allowed: a record"
                            .formatted(schema.getFullName()));
        }
        return schema.toString();
    }

    /** The schema that records are decoded with; empty if they are not Avro. */
    public Optional<Schema> readerSchema() {
        return Optional.empty();
    }

    /** Where the schemas are; empty if records do not refer to a registry. */
    Optional<RegistrySettings> registry() {
        return Optional.empty();
    }

    /**
     * Returns a reader that finds fields, and decodes nothing.
     *
     * @throws IllegalArgumentException if there are no fields
     */
    abstract RecordReader ofFields(Part part);

    /**
     * Returns a reader of records.
     *
     * @param writers the schemas of a registry; empty if neither values nor keys refer to one
     */
    abstract RecordReader open(Part part, Optional<WriterSchemas> writers);

    /** Whether a default fits its type is a matter of whoever wrote the schema. */
    static Schema parse(String schema) {
        return new Schema.Parser().setValidateDefaults(false).parse(schema);
    }

    private static final class Text extends RecordEncoding {

        private static final long serialVersionUID = 1L;

        @Override
        RecordReader ofFields(Part part) {
            throw new IllegalArgumentException(
                    "the %s is text, which has no fields; allowed: JSON or Avro".formatted(part));
        }

        @Override
        RecordReader open(Part part, Optional<WriterSchemas> writers) {
            return ofFields(part);
        }
    }

    private static final class Json extends RecordEncoding {

        private static final long serialVersionUID = 1L;

        @Override
        RecordReader ofFields(Part part) {
            return new JsonReader(part);
        }

        @Override
        RecordReader open(Part part, Optional<WriterSchemas> writers) {
            return new JsonReader(part);
        }
    }

    private static class Avro extends RecordEncoding {

        private static final long serialVersionUID = 1L;

        private final String writer;
        private final String reader;

        Avro(String writer, String reader) {
            this.writer = writer;
            this.reader = reader;
        }

        @Override
        public Optional<Schema> readerSchema() {
            return Optional.of(parse(reader));
        }

        @Override
        RecordReader ofFields(Part part) {
            return reader(part, AvroReader.WriterOf.always(parse(writer)));
        }

        final RecordReader reader(Part part, AvroReader.WriterOf writers) {
            return new AvroReader(part, parse(reader), writers);
        }

        @Override
        RecordReader open(Part part, Optional<WriterSchemas> writers) {
            return ofFields(part);
        }
    }

    private static final class Registry extends Avro {

        private static final long serialVersionUID = 1L;

        private final RegistrySettings settings;

        Registry(RegistrySettings settings, String reader) {
            super(reader, reader);
            this.settings = settings;
        }

        @Override
        Optional<RegistrySettings> registry() {
            return Optional.of(settings);
        }

        @Override
        RecordReader open(Part part, Optional<WriterSchemas> writers) {
            return reader(part, new RegistryWriters(part, writers.orElseThrow()));
        }
    }
}
