// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Token;
import io.flinkmoe.schemas.DeadLetterEncoder;
import io.flinkmoe.schemas.TokenEncoder;
import java.util.Arrays;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes dead letters to a topic. The messages have no key. A token that the model cannot read no
 * longer has its original record, so it is encoded again in the format of the topic. A record that
 * is too large for a message is truncated, and the reason says so. Topic, partition and offset
 * identify the complete record.
 */
@PublicEvolving
public final class DeadLetterSerializer implements KafkaRecordSerializationSchema<DeadLetter> {

    private static final long serialVersionUID = 1L;

    /** Characters. A parser can quote the text that it could not read. */
    private static final int MAX_REASON = 2_000;

    private static final int DEFAULT_MAX_RECORD_BYTES = (1 << 20) - (16 << 10);

    private final String topic;
    private final RecordFormat format;
    private final int maxRecordBytes;

    private transient DeadLetterEncoder encoder;
    private transient TokenEncoder tokens;

    /**
     * Truncates records so that dead letters fit Kafka's default {@code max.request.size}.
     *
     * @param topic the topic to write to
     * @param format the format of its records
     */
    public DeadLetterSerializer(String topic, RecordFormat format) {
        this(topic, format, DEFAULT_MAX_RECORD_BYTES);
    }

    /**
     * @param topic the topic to write to
     * @param format the format of its records
     * @param maxRecordBytes the maximum number of record bytes in a dead letter: the producer's
     *     {@code max.request.size} minus 16 KiB for the other fields
     */
    public DeadLetterSerializer(String topic, RecordFormat format, int maxRecordBytes) {
        this.topic = topic;
        this.format = format;
        this.maxRecordBytes = maxRecordBytes;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder =
                format == RecordFormat.AVRO
                        ? DeadLetterEncoder.singleObject()
                        : DeadLetterEncoder.raw();
        tokens = format == RecordFormat.AVRO ? TokenEncoder.singleObject() : TokenEncoder.raw();
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            DeadLetter letter, KafkaSinkContext context, Long timestamp) {
        byte[] record = letter.token() == null ? letter.record() : encode(letter.token());
        String reason = letter.reason();
        reason = reason.substring(0, Math.min(reason.length(), MAX_REASON));
        if (record.length > maxRecordBytes) {
            reason +=
                    "; truncated to the first %d of %d bytes because of %s"
                            .formatted(
                                    maxRecordBytes,
                                    record.length,
                                    ProducerConfig.MAX_REQUEST_SIZE_CONFIG);
            record = Arrays.copyOf(record, maxRecordBytes);
        }
        byte[] value =
                encoder.encode(record, letter.topic(), letter.partition(), letter.offset(), reason);
        return new ProducerRecord<>(topic, value);
    }

    private byte[] encode(Token token) {
        return tokens.encode(token.stream(), token.position(), token.timestamp(), token.values());
    }
}
