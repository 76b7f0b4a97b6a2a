package io.flinkmoe.jobs.kafka;

import io.flinkmoe.api.Token;
import io.flinkmoe.jobs.kafka.KafkaOptions.Format;
import io.flinkmoe.schemas.TokenEncoder;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Writes tokens that came too late to a topic. The key is the stream. */
final class TokenSerializer implements KafkaRecordSerializationSchema<Token> {

    private static final long serialVersionUID = 1L;

    private final String topic;
    private final Format format;

    private transient TokenEncoder encoder;

    TokenSerializer(String topic, Format format) {
        this.topic = topic;
        this.format = format;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder = format == Format.AVRO ? TokenEncoder.singleObject() : TokenEncoder.raw();
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            Token token, KafkaSinkContext context, Long timestamp) {
        byte[] value =
                encoder.encode(token.stream(), token.position(), token.timestamp(), token.values());
        byte[] key = token.stream().getBytes(StandardCharsets.UTF_8);
        return new ProducerRecord<>(topic, key, value);
    }
}
