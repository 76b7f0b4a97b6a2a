// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.kafka.DeadLetterSerializer;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.record.AbsentField;
import io.flinkmoe.kafka.record.AnswerFields;
import io.flinkmoe.kafka.record.RecordBinding;
import io.flinkmoe.kafka.record.RecordDeserializer;
import io.flinkmoe.scoring.record.RecordOptions.Format;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;

/** Users' own records, and answers in the same format. */
@Internal
public final class OwnRecords implements JobRecords {

    private final ReadableConfig options;
    private final RecordDeserializer deserializer;
    private final OwnAnswers answers;
    private final PinnedSchemas schemas;

    private OwnRecords(
            ReadableConfig options,
            RecordDeserializer deserializer,
            OwnAnswers answers,
            PinnedSchemas schemas) {
        this.options = options;
        this.deserializer = deserializer;
        this.answers = answers;
        this.schemas = schemas;
    }

    /**
     * Resolves the schemas, and binds their fields to the inputs of the model.
     *
     * @param timestamps which timestamps are accepted
     * @throws IOException if a schema cannot be had
     */
    public static OwnRecords of(RecordContext job, MoeLayers layers, TimestampRules timestamps)
            throws IOException {
        ReadableConfig options = job.options();
        RecordBinding binding = RecordBindings.of(options, layers.inputs());
        OwnEncodings encodings = OwnEncodings.of(job);
        List<String> errors = new ArrayList<>();
        Optional<RecordDeserializer> deserializer =
                tryTo(
                        () ->
                                RecordDeserializer.of(
                                        layers.inputs(),
                                        binding,
                                        encodings.values(),
                                        encodings.keys()),
                        errors);
        Optional<AnswerFields> fields = tryTo(() -> fields(options, layers), errors);
        Optional<OwnAnswers> answers = Optional.empty();
        if (fields.isPresent()) {
            answers = tryTo(() -> OwnAnswers.of(job, fields.get(), encodings), errors);
        }
        if (!errors.isEmpty()) {
            throw RecordBindings.refused(errors);
        }
        deserializer.get().answers(fields.get()).timestamps(timestamps);
        return new OwnRecords(options, deserializer.get(), answers.get(), encodings.schemas());
    }

    /** A step that needs files or the registry. */
    private interface Step<T> {
        T get() throws IOException;
    }

    /** Returns nothing if there is an error, which is added to the others. */
    private static <T> Optional<T> tryTo(Step<T> step, List<String> errors) throws IOException {
        try {
            return Optional.of(step.get());
        } catch (IllegalArgumentException e) {
            errors.add(e.getMessage());
            return Optional.empty();
        }
    }

    @Override
    public List<String> warnings() {
        List<String> warnings = new ArrayList<>();
        for (AbsentField field : deserializer.absentFields()) {
            warnings.add(
                    "the field %s is not in the schema of the records (%s), so the input %s has in each record what stands for a missing value; a schema with the field can be named in %s"
                            .formatted(
                                    field.path(),
                                    schemas.get(PinnedSchemas.VALUE).orElseThrow().origin(),
                                    field.input(),
                                    RecordOptions.SCHEMA.key()));
        }
        return warnings;
    }

    private static AnswerFields fields(ReadableConfig options, MoeLayers layers) {
        AnswerFields fields =
                AnswerFields.of(layers.outputs())
                        .keepHeaders(
                                options.get(RecordOptions.KEEP_HEADERS).toArray(String[]::new));
        if (options.get(RecordOptions.CHOICES)) {
            fields = fields.choices(layers.layerNames());
        }
        List<String> kept = options.get(RecordOptions.KEEP);
        return kept.equals(List.of(RecordBindings.ALL))
                ? fields.keepAll()
                : fields.keep(kept.toArray(String[]::new));
    }

    @Override
    public PinnedSchemas pin(boolean registers) throws IOException {
        return answers.pin(schemas, registers);
    }

    @Override
    public KafkaRecordDeserializationSchema<Arrival> deserializer(int maxKeptBytes) {
        return deserializer.maxKeptBytes(maxKeptBytes);
    }

    @Override
    public KafkaRecordSerializationSchema<ScoredToken> answers(
            String topic, RecordKey key, PinnedSchemas pinned) {
        return answers.serializer(topic, key, pinned);
    }

    @Override
    public KafkaRecordSerializationSchema<DeadLetter> deadLetters(
            String topic, int maxRecordBytes) {
        return options.get(RecordOptions.FORMAT) == Format.JSON
                ? new JsonDeadLetterSerializer(topic, maxRecordBytes)
                : new DeadLetterSerializer(topic, RecordOptions.ofTokens(options), maxRecordBytes);
    }
}
