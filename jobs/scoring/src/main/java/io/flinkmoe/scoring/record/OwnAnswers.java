// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.pinned.PinnedSchemas.Pinned;
import io.flinkmoe.kafka.record.AnswerFields;
import io.flinkmoe.kafka.record.AnswerSchema;
import io.flinkmoe.kafka.record.AvroAnswerSerializer;
import io.flinkmoe.kafka.record.JsonAnswerSerializer;
import java.io.IOException;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.flink.annotation.Internal;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;

/** The answers to users' own records. */
@Internal
interface OwnAnswers {

    /** The value of the option for a schema that follows from the kept fields and the outputs. */
    String GENERATED = "generated";

    /**
     * Makes sure that the schema of the answers can be used, and adds it to the others.
     *
     * @param registers whether it may be registered
     * @throws IOException if the registry does not have it and may not get it
     */
    PinnedSchemas pin(PinnedSchemas others, boolean registers) throws IOException;

    /**
     * @param pinned what {@link #pin} has returned
     */
    KafkaRecordSerializationSchema<ScoredToken> serializer(
            String topic, RecordKey key, PinnedSchemas pinned);

    /**
     * Creates the answers in the format of the records.
     *
     * @throws IOException if the schema that the options name cannot be had
     * @throws IllegalArgumentException if it does not fit the answers
     */
    static OwnAnswers of(RecordContext job, AnswerFields fields, OwnEncodings encodings)
            throws IOException {
        return switch (job.options().get(RecordOptions.FORMAT)) {
            case AVRO -> new Avro(schema(job, fields, encodings), Optional.empty());
            case AVRO_REGISTRY ->
                    new Avro(
                            schema(job, fields, encodings),
                            Optional.of(
                                    new AnswerSubject(job, encodings.registry().orElseThrow())));
            case JSON, TOKEN, TOKEN_RAW -> new Json(fields);
        };
    }

    private static NamedSchema schema(
            RecordContext job, AnswerFields fields, OwnEncodings encodings) throws IOException {
        Schema reader = encodings.values().readerSchema().orElseThrow();
        AnswerSchema generated = AnswerSchema.of(fields, reader);
        String choice = job.options().getOptional(RecordOptions.ANSWER_SCHEMA).orElse(GENERATED);
        if (choice.strip().equals(GENERATED)) {
            return new NamedSchema(generated, GENERATED);
        }
        String subject = AnswerSubject.name(job, generated.generated());
        Pinned given =
                encodings.named().get(RecordOptions.ANSWER_SCHEMA, PinnedSchemas.ANSWER, subject);
        try {
            return new NamedSchema(
                    generated.writtenWith(OwnEncodings.parse(given)), given.origin());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "answer-schema is %s: %s".formatted(given.origin(), e.getMessage()), e);
        }
    }

    /** A schema, and where it is from. */
    record NamedSchema(AnswerSchema schema, String origin) {

        Pinned pinned(int id) {
            return new Pinned(schema.schema().toString(), origin, id);
        }
    }

    /** Answers in JSON. */
    record Json(AnswerFields fields) implements OwnAnswers {

        @Override
        public PinnedSchemas pin(PinnedSchemas others, boolean registers) {
            return others;
        }

        @Override
        public KafkaRecordSerializationSchema<ScoredToken> serializer(
                String topic, RecordKey key, PinnedSchemas pinned) {
            return new JsonAnswerSerializer(topic, fields, key);
        }
    }

    /**
     * Answers in Avro.
     *
     * @param subject empty: without a registry
     */
    record Avro(NamedSchema named, Optional<AnswerSubject> subject) implements OwnAnswers {

        @Override
        public PinnedSchemas pin(PinnedSchemas others, boolean registers) throws IOException {
            int id = Pinned.NO_ID;
            if (subject.isPresent()) {
                id = subject.get().id(named.schema().schema(), registers);
            }
            return others.with(PinnedSchemas.ANSWER, named.pinned(id));
        }

        @Override
        public KafkaRecordSerializationSchema<ScoredToken> serializer(
                String topic, RecordKey key, PinnedSchemas pinned) {
            int id = pinned.get(PinnedSchemas.ANSWER).orElseThrow().id();
            return subject.isPresent()
                    ? AvroAnswerSerializer.registry(topic, named.schema(), id, key)
                    : AvroAnswerSerializer.plain(topic, named.schema(), key);
        }
    }
}
