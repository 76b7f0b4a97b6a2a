package io.flinkmoe.jobs.kafka;

import io.flinkmoe.jobs.kafka.KafkaOptions.Format;
import io.flinkmoe.schemas.DeadLetterEncoder;
import io.flinkmoe.stream.DeadLetter;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Writes dead letters to a topic, without a key: what they are of is not known. */
final class DeadLetterSerializer implements KafkaRecordSerializationSchema<DeadLetter> {

    private static final long serialVersionUID = 1L;

    private final String topic;
    private final Format format;

    private transient DeadLetterEncoder encoder;

    DeadLetterSerializer(String topic, Format format) {
        this.topic = topic;
        this.format = format;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder =
                format == Format.AVRO ? DeadLetterEncoder.singleObject() : DeadLetterEncoder.raw();
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            DeadLetter letter, KafkaSinkContext context, Long timestamp) {
        byte[] value =
                encoder.encode(
                        letter.record(),
                        letter.topic(),
                        letter.partition(),
                        letter.offset(),
                        letter.reason());
        return new ProducerRecord<>(topic, value);
    }
}
