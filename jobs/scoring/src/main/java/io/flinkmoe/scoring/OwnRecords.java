// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.kafka.DeadLetterSerializer;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.record.JsonAnswerSerializer;
import io.flinkmoe.kafka.record.RecordBinding;
import io.flinkmoe.kafka.record.RecordDeserializer;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import io.flinkmoe.scoring.RecordOptions.Format;
import java.time.Clock;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;

/** Users' own records, and answers in the same format. */
@Internal
final class OwnRecords implements JobRecords {

    private final ReadableConfig options;
    private final MoeLayers layers;
    private final RecordBinding binding;

    OwnRecords(ReadableConfig options, MoeLayers layers) {
        this.options = options;
        this.layers = layers;
        this.binding =
                RecordBindings.of(options, layers.inputs())
                        .keep(options.get(RecordOptions.KEEP).toArray(String[]::new))
                        .keepHeaders(
                                options.get(RecordOptions.KEEP_HEADERS).toArray(String[]::new));
    }

    @Override
    public KafkaRecordDeserializationSchema<Arrival> deserializer(int maxAnswerBytes) {
        try {
            return RecordDeserializer.json(layers.inputs(), binding).timestamps(timestamps());
        } catch (IllegalArgumentException e) {
            throw RecordBindings.refused(e);
        }
    }

    private TimestampRules timestamps() {
        if (!layers.hasWindows()) {
            return TimestampRules.NONE;
        }
        TimestampRules rules =
                new TimestampRules(
                        true,
                        options.get(KafkaOptions.SOURCE_MAX_AHEAD),
                        options.get(KafkaOptions.SOURCE_MAX_BEHIND),
                        Clock.systemUTC());
        return options.get(KafkaOptions.SINK_DELIVERY) == Delivery.IDEMPOTENT
                ? rules.withoutClock()
                : rules;
    }

    @Override
    public KafkaRecordSerializationSchema<ScoredToken> answers(String topic, RecordKey key) {
        return new JsonAnswerSerializer(topic, layers.outputs(), binding, key);
    }

    @Override
    public KafkaRecordSerializationSchema<DeadLetter> deadLetters(
            String topic, int maxRecordBytes) {
        return options.get(RecordOptions.FORMAT) == Format.JSON
                ? new JsonDeadLetterSerializer(topic, maxRecordBytes)
                : new DeadLetterSerializer(topic, RecordOptions.ofTokens(options), maxRecordBytes);
    }
}
