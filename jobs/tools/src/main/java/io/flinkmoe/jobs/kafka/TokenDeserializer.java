package io.flinkmoe.jobs.kafka;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.jobs.kafka.KafkaOptions.Format;
import io.flinkmoe.schemas.MalformedRecordException;
import io.flinkmoe.schemas.TokenDecoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Reads tokens from Kafka. A record that is no token, or one that the model cannot take, becomes a
 * dead letter with its origin and the reason; it never fails the job.
 */
final class TokenDeserializer implements KafkaRecordDeserializationSchema<Arrival> {

    private static final long serialVersionUID = 1L;

    private final Format format;
    private final List<String> schemas;
    private final int width;
    private final long maxAhead;

    private transient TokenDecoder decoder;

    private TokenDeserializer(Format format, List<String> schemas, int width, Duration maxAhead) {
        this.format = format;
        this.schemas = schemas;
        this.width = width;
        this.maxAhead = maxAhead.toMillis();
    }

    /**
     * @param width the model's input width
     * @throws IllegalConfigurationException if a schema file cannot be read, or holds no schema of
     *     tokens
     */
    static TokenDeserializer of(ReadableConfig options, int width) {
        Format format = options.get(KafkaOptions.FORMAT);
        List<String> schemas = new ArrayList<>();
        for (String file : options.get(KafkaOptions.SCHEMAS)) {
            try {
                String schema = Files.readString(Path.of(file));
                decoder(format, List.of(schema));
                schemas.add(schema);
            } catch (IOException | IllegalArgumentException | AvroRuntimeException e) {
                throw new IllegalConfigurationException(
                        "%s: cannot use %s: %s"
                                .formatted(
                                        KafkaOptions.SCHEMAS.key(),
                                        file,
                                        e instanceof IOException ? e : e.getMessage()),
                        e);
            }
        }
        return new TokenDeserializer(
                format, schemas, width, options.get(KafkaOptions.SOURCE_MAX_AHEAD));
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        decoder = decoder(format, schemas);
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Arrival> out) {
        if (record.value() == null) {
            out.collect(deadLetter(record, "the record has no value (a tombstone)"));
            return;
        }
        try {
            decoder.decode(record.value());
        } catch (MalformedRecordException e) {
            out.collect(deadLetter(record, e.getMessage()));
            return;
        }
        Token token =
                new Token(
                        decoder.stream(),
                        decoder.position(),
                        decoder.timestamp(),
                        decoder.values());
        String reason = TokenCheck.reasonToReject(token, width);
        if (reason == null) {
            reason = reasonToRejectTimestamp(token.timestamp(), record);
        }
        out.collect(
                reason == null
                        ? Arrival.of(token, record.partition())
                        : deadLetter(record, reason));
    }

    @Override
    public TypeInformation<Arrival> getProducedType() {
        return Arrival.TYPE;
    }

    /** A record of a broker that keeps no timestamps has a negative one, and is not judged. */
    private String reasonToRejectTimestamp(long timestamp, ConsumerRecord<byte[], byte[]> record) {
        long written = record.timestamp();
        if (written < 0 || timestamp <= written || timestamp - written <= maxAhead) {
            return null;
        }
        return "timestamp %s is beyond its record's, %s, by more than %s (%s)"
                .formatted(
                        Instant.ofEpochMilli(timestamp),
                        Instant.ofEpochMilli(written),
                        KafkaOptions.SOURCE_MAX_AHEAD.key(),
                        Duration.ofMillis(maxAhead));
    }

    private static Arrival deadLetter(ConsumerRecord<byte[], byte[]> record, String reason) {
        byte[] raw = record.value() == null ? new byte[0] : record.value();
        return Arrival.of(
                new DeadLetter(raw, record.topic(), record.partition(), record.offset(), reason));
    }

    private static TokenDecoder decoder(Format format, List<String> schemas) {
        List<Schema> writers =
                schemas.stream().map(schema -> new Schema.Parser().parse(schema)).toList();
        if (format == Format.AVRO) {
            return TokenDecoder.singleObject(writers);
        }
        return TokenDecoder.raw(
                writers.isEmpty() ? io.flinkmoe.schemas.Token.getClassSchema() : writers.get(0));
    }
}
