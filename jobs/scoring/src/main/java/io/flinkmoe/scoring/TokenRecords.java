// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.kafka.DeadLetterSerializer;
import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.ScoredTokenSerializer;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.TokenDeserializer;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.scoring.record.JobRecords;
import io.flinkmoe.scoring.record.RecordOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;

/** Tokens and answers in flink-moe's own schemas. */
@Internal
final class TokenRecords implements JobRecords {

    private final RecordFormat format;
    private final TokenDeserializer deserializer;

    /**
     * @param timestamps which timestamps are accepted
     * @throws IllegalConfigurationException if a schema file cannot be read or does not contain a
     *     schema of tokens
     */
    TokenRecords(ReadableConfig options, InputLayout inputs, TimestampRules timestamps) {
        format = RecordOptions.ofTokens(options);
        deserializer = deserializer(options, inputs, timestamps);
    }

    private static TokenDeserializer deserializer(
            ReadableConfig options, InputLayout inputs, TimestampRules timestamps) {
        TokenDeserializer.Builder builder =
                TokenDeserializer.builder(inputs)
                        .format(RecordOptions.ofTokens(options))
                        .timestamps(timestamps);
        for (String file : options.get(RecordOptions.SCHEMAS)) {
            try {
                builder.writerSchema(Files.readString(Path.of(file)));
            } catch (IOException | IllegalArgumentException e) {
                throw new IllegalConfigurationException(
                        "%s: cannot use %s: %s"
                                .formatted(
                                        RecordOptions.SCHEMAS.key(),
                                        file,
                                        e instanceof IOException failure
                                                ? FileErrors.reason(failure)
                                                : e.getMessage()),
                        e);
            }
        }
        return builder.build();
    }

    @Override
    public PinnedSchemas pin(boolean registers) {
        return PinnedSchemas.NONE;
    }

    @Override
    public KafkaRecordDeserializationSchema<Arrival> deserializer(int maxKeptBytes) {
        return deserializer;
    }

    @Override
    public KafkaRecordSerializationSchema<ScoredToken> answers(
            String topic, RecordKey key, PinnedSchemas pinned) {
        return new ScoredTokenSerializer(topic, format, key);
    }

    @Override
    public KafkaRecordSerializationSchema<DeadLetter> deadLetters(
            String topic, int maxRecordBytes) {
        return new DeadLetterSerializer(topic, format, maxRecordBytes);
    }
}
