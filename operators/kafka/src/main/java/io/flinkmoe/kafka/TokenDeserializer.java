package io.flinkmoe.kafka;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.schemas.MalformedRecordException;
import io.flinkmoe.schemas.TokenDecoder;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Reads tokens from Kafka. Every record becomes one arrival: a token with its partition, or a dead
 * letter with the complete record, its origin and the reason. A bad record never fails the job.
 *
 * <p>Dead letters are records without a value, records that are not tokens in the given format,
 * tokens that the model cannot take (see {@link TokenCheck}), and tokens whose timestamp is further
 * beyond their record's than {@link Builder#maxAhead} allows.
 */
@PublicEvolving
public final class TokenDeserializer implements KafkaRecordDeserializationSchema<Arrival> {

    private static final long serialVersionUID = 1L;

    /** How far a token's timestamp may be beyond its record's, unless the builder is told. */
    public static final Duration DEFAULT_MAX_AHEAD = Duration.ofHours(1);

    /** Confluent's serializers can put the id of a schema here, instead of before the value. */
    private static final String CONFLUENT_HEADER = "__value_schema_id";

    private static final String CONFLUENT_HEADER_REASON =
            "; its header %s belongs to Confluent's wire format, which is not supported"
                    .formatted(CONFLUENT_HEADER);

    private final RecordFormat format;
    private final List<String> schemas;
    private final int width;
    private final long maxAhead;

    private transient TokenDecoder decoder;

    private TokenDeserializer(Builder builder) {
        this.format = builder.format;
        this.schemas = List.copyOf(builder.schemas);
        this.width = builder.width;
        this.maxAhead = builder.maxAhead.toMillis();
    }

    /**
     * A deserializer of tokens in {@link RecordFormat#AVRO} by the shipped schema, unless the
     * builder is told otherwise.
     *
     * @param inputWidth how many values a token has: the model's input width
     */
    public static Builder builder(int inputWidth) {
        return new Builder(inputWidth);
    }

    /** What a deserializer reads. */
    @PublicEvolving
    public static final class Builder {

        private final int width;
        private final List<String> schemas = new ArrayList<>();
        private RecordFormat format = RecordFormat.AVRO;
        private Duration maxAhead = DEFAULT_MAX_AHEAD;

        private Builder(int width) {
            this.width = width;
        }

        /** The format of the topic's records. */
        public Builder format(RecordFormat recordFormat) {
            this.format = recordFormat;
            return this;
        }

        /**
         * Adds a schema that tokens are written with: in {@link RecordFormat#AVRO} beside the
         * shipped one, in {@link RecordFormat#RAW} instead of it. It is a record with the fields
         * stream, position, timestamp and values, in any order; its other fields are skipped.
         *
         * @param json the schema, as an .avsc file has it
         * @throws IllegalArgumentException if it is not a schema of tokens, with the reason
         */
        public Builder writerSchema(String json) {
            try {
                TokenDecoder.raw(parse(json));
            } catch (AvroRuntimeException e) {
                throw new IllegalArgumentException(e.getMessage(), e);
            }
            schemas.add(json);
            return this;
        }

        /**
         * How far a token's timestamp may be beyond the timestamp of its record. A clock that is
         * further ahead would move the watermark so far that every other token is late. A record
         * without a timestamp is not checked.
         *
         * @param allowed zero or more
         * @throws IllegalArgumentException if it is negative
         */
        public Builder maxAhead(Duration allowed) {
            if (allowed.isNegative()) {
                throw new IllegalArgumentException(
                        "maxAhead is %s, but cannot be negative".formatted(allowed));
            }
            this.maxAhead = allowed;
            return this;
        }

        /**
         * The deserializer.
         *
         * @throws IllegalArgumentException if the format is raw and there are several schemas: raw
         *     records do not name the one that they were written with
         */
        public TokenDeserializer build() {
            if (format == RecordFormat.RAW && schemas.size() > 1) {
                throw new IllegalArgumentException(
                        "there are %d schemas; allowed with the format raw: one"
                                .formatted(schemas.size()));
            }
            return new TokenDeserializer(this);
        }
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        List<Schema> writers = schemas.stream().map(TokenDeserializer::parse).toList();
        if (format == RecordFormat.AVRO) {
            decoder = TokenDecoder.singleObject(writers);
        } else {
            decoder =
                    TokenDecoder.raw(
                            writers.isEmpty()
                                    ? io.flinkmoe.schemas.Token.getClassSchema()
                                    : writers.get(0));
        }
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Arrival> out) {
        Origin origin = new Origin(record.topic(), record.partition(), record.offset());
        Rejection rejection = reasonToRejectBytes(record);
        if (rejection == null) {
            Token token =
                    new Token(
                            decoder.stream(),
                            decoder.position(),
                            decoder.timestamp(),
                            decoder.values());
            rejection = TokenCheck.reasonToReject(token, width);
            if (rejection == null) {
                rejection = reasonToRejectTimestamp(token.timestamp(), record);
            }
            if (rejection == null) {
                out.collect(Arrival.of(token, origin));
                return;
            }
        }
        out.collect(Arrival.of(DeadLetter.of(origin, raw(record), rejection)));
    }

    /** Decodes the record's value, or says why that is not possible. */
    private Rejection reasonToRejectBytes(ConsumerRecord<byte[], byte[]> record) {
        if (record.value() == null) {
            return new Rejection(Kind.NO_VALUE, "the record has no value (a tombstone)");
        }
        if (record.value().length == 0) {
            return new Rejection(Kind.EMPTY_VALUE, "the record's value is empty (0 bytes)");
        }
        try {
            decoder.decode(record.value());
            return null;
        } catch (MalformedRecordException e) {
            boolean hasSchemaId = record.headers().lastHeader(CONFLUENT_HEADER) != null;
            return switch (e.kind()) {
                case CONFLUENT -> new Rejection(Kind.CONFLUENT, e.getMessage());
                case JSON -> new Rejection(Kind.JSON, e.getMessage());
                case UNKNOWN_SCHEMA -> new Rejection(Kind.UNKNOWN_SCHEMA, e.getMessage());
                case OTHER ->
                        hasSchemaId
                                ? new Rejection(
                                        Kind.CONFLUENT, e.getMessage() + CONFLUENT_HEADER_REASON)
                                : new Rejection(Kind.MALFORMED, e.getMessage());
            };
        }
    }

    @Override
    public TypeInformation<Arrival> getProducedType() {
        return Arrival.TYPE;
    }

    /** A broker that keeps no timestamps gives a negative one. */
    private Rejection reasonToRejectTimestamp(
            long timestamp, ConsumerRecord<byte[], byte[]> record) {
        long written = record.timestamp();
        if (written < 0 || timestamp <= written || timestamp - written <= maxAhead) {
            return null;
        }
        return new Rejection(
                Kind.AHEAD,
                "timestamp %s is beyond its record's, %s, by more than max-ahead (%s)"
                        .formatted(
                                Instant.ofEpochMilli(timestamp),
                                Instant.ofEpochMilli(written),
                                Duration.ofMillis(maxAhead)));
    }

    private static RawRecord raw(ConsumerRecord<byte[], byte[]> record) {
        List<RawRecord.Header> headers = new ArrayList<>();
        for (Header header : record.headers()) {
            headers.add(new RawRecord.Header(header.key(), header.value()));
        }
        return new RawRecord(record.key(), record.value(), headers, record.timestamp());
    }

    private static Schema parse(String json) {
        return new Schema.Parser().parse(json);
    }
}
