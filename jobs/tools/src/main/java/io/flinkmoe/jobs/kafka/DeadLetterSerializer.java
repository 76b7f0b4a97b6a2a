package io.flinkmoe.jobs.kafka;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Token;
import io.flinkmoe.jobs.kafka.KafkaOptions.Format;
import io.flinkmoe.schemas.DeadLetterEncoder;
import io.flinkmoe.schemas.TokenEncoder;
import java.util.Arrays;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes dead letters to a topic, without a key: what they are of is not known. Where only a token
 * is left of a record, it is written anew, in the format of the topics. A record that is too large
 * for a message is cut, which the reason says; where it lies whole, the letter says too.
 */
final class DeadLetterSerializer implements KafkaRecordSerializationSchema<DeadLetter> {

    private static final long serialVersionUID = 1L;

    /** Characters; a parser may cite what it could not read. */
    private static final int MAX_REASON = 2_000;

    private final String topic;
    private final Format format;
    private final int maxRecordBytes;

    private transient DeadLetterEncoder encoder;
    private transient TokenEncoder tokens;

    /**
     * @param maxRecordBytes the most bytes of a record that a letter holds
     */
    DeadLetterSerializer(String topic, Format format, int maxRecordBytes) {
        this.topic = topic;
        this.format = format;
        this.maxRecordBytes = maxRecordBytes;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder =
                format == Format.AVRO ? DeadLetterEncoder.singleObject() : DeadLetterEncoder.raw();
        tokens = format == Format.AVRO ? TokenEncoder.singleObject() : TokenEncoder.raw();
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            DeadLetter letter, KafkaSinkContext context, Long timestamp) {
        byte[] record = letter.token() == null ? letter.record() : encode(letter.token());
        String reason = letter.reason();
        reason = reason.substring(0, Math.min(reason.length(), MAX_REASON));
        if (record.length > maxRecordBytes) {
            reason +=
                    "; the first %d of its %d bytes are here, as many as %s leaves room for"
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
