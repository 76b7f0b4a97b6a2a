// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.schemas.MalformedRecordException;
import io.flinkmoe.schemas.TokenDecoder;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.annotation.VisibleForTesting;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Reads tokens from Kafka. Each record becomes one {@link Arrival}: either a token with its origin,
 * or a dead letter with the complete record, its origin and the reason. An invalid record never
 * fails the job.
 *
 * <p>A record becomes a dead letter if it has no value, if it is not a token in the given format,
 * if the model cannot process the token (see {@link TokenCheck}), or if the token's timestamp is
 * too far in the future (see {@link Builder#maxAhead}).
 */
@PublicEvolving
public final class TokenDeserializer implements KafkaRecordDeserializationSchema<Arrival> {

    private static final long serialVersionUID = 1L;

    /** The default of {@link Builder#maxAhead}. */
    public static final Duration DEFAULT_MAX_AHEAD = Duration.ofHours(1);

    /** The default of {@link Builder#maxBehind}. */
    public static final Duration DEFAULT_MAX_BEHIND = Duration.ofDays(3_650);

    /** Confluent's serializers can write the schema id into this header. */
    private static final String CONFLUENT_HEADER = "__value_schema_id";

    private static final String CONFLUENT_HEADER_REASON =
            "; its header %s belongs to Confluent's wire format, which moe.format: avro-registry reads"
                    .formatted(CONFLUENT_HEADER);

    private final RecordFormat format;
    private final List<String> schemas;
    private final InputLayout inputs;
    private final TimestampRules timestamps;

    private transient TokenDecoder decoder;
    private transient InputColumns columns;
    private transient ArrivalCheck check;

    private TokenDeserializer(Builder builder) {
        this.format = builder.format;
        this.schemas = List.copyOf(builder.schemas);
        this.inputs = builder.inputs;
        this.timestamps =
                new TimestampRules(
                        builder.checkTimestamps,
                        builder.maxAhead,
                        builder.maxBehind,
                        builder.clock);
    }

    /**
     * Creates a builder. Its defaults are {@link RecordFormat#TOKEN} and the built-in schema.
     *
     * @param inputs the inputs of the model
     */
    public static Builder builder(InputLayout inputs) {
        return new Builder(inputs);
    }

    /** Builds a {@link TokenDeserializer}. */
    @PublicEvolving
    public static final class Builder {

        private final InputLayout inputs;
        private final List<String> schemas = new ArrayList<>();
        private RecordFormat format = RecordFormat.TOKEN;
        private boolean checkTimestamps = true;
        private Duration maxAhead = DEFAULT_MAX_AHEAD;
        private Duration maxBehind = DEFAULT_MAX_BEHIND;
        private Clock clock = Clock.systemUTC();

        private Builder(InputLayout inputs) {
            this.inputs = inputs;
        }

        /** Sets the format of the topic's records. */
        public Builder format(RecordFormat recordFormat) {
            this.format = recordFormat;
            return this;
        }

        /**
         * Adds a schema that tokens are written with. With {@link RecordFormat#TOKEN} it is used in
         * addition to the built-in schema. With {@link RecordFormat#TOKEN_RAW} it replaces the
         * built-in schema. The schema is a record with the fields stream, position and timestamp,
         * and values or inputs, in any order. Other fields are skipped.
         *
         * @param json the schema, as in an .avsc file
         * @throws IllegalArgumentException if it is not a schema of tokens; the message contains
         *     the reason
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
         * Sets how far a token's timestamp may be in the future. Tokens beyond that are rejected,
         * because a wrong clock would advance the watermark so far that all other tokens are late.
         *
         * <p>The timestamp is compared with the timestamp of its record. If the producer has set
         * that (Kafka's {@code message.timestamp.type=CreateTime}), it is also compared with this
         * machine's clock, because the clock of the producer can be wrong.
         *
         * @param allowed zero or more
         * @throws IllegalArgumentException if it is negative
         */
        public Builder maxAhead(Duration allowed) {
            this.maxAhead = notNegative("maxAhead", allowed);
            return this;
        }

        /**
         * Sets how far a token's timestamp may be before the timestamp of its record. A token
         * beyond that is {@link Arrival#isBehind behind}. The default is ten years, which finds
         * timestamps of 0 and seconds taken for milliseconds, but accepts old data that is written
         * to the topic today.
         *
         * @param allowed zero or more
         * @throws IllegalArgumentException if it is negative
         */
        public Builder maxBehind(Duration allowed) {
            this.maxBehind = notNegative("maxBehind", allowed);
            return this;
        }

        /**
         * Accepts every timestamp that event time can have. Use it for layers without a capacity:
         * they have no windows, so a wrong timestamp does no harm.
         */
        public Builder acceptAllTimestamps() {
            this.checkTimestamps = false;
            return this;
        }

        /**
         * Compares timestamps with those of the records only, so that what becomes of a record
         * depends on the topic's contents alone. Use it if a record that is read again must have
         * the same result. A producer with a wrong clock can then make all other tokens late,
         * unless the broker sets the timestamps of the topic's records.
         */
        public Builder ignoreClock() {
            return clock(TimestampCheck.END_OF_TIME);
        }

        /** Sets all of these rules together. */
        public Builder timestamps(TimestampRules rules) {
            this.checkTimestamps = rules.areChecked();
            return maxAhead(rules.maxAhead()).maxBehind(rules.maxBehind()).clock(rules.clock());
        }

        /** Replaces this machine's clock. */
        @VisibleForTesting
        Builder clock(Clock machine) {
            this.clock = machine;
            return this;
        }

        private static Duration notNegative(String name, Duration allowed) {
            if (allowed.isNegative()) {
                throw new IllegalArgumentException(
                        "%s is %s, but cannot be negative".formatted(name, allowed));
            }
            return allowed;
        }

        /**
         * Builds the deserializer.
         *
         * @throws IllegalArgumentException if the format is raw and several schemas were added: raw
         *     records do not identify their schema
         */
        public TokenDeserializer build() {
            if (format == RecordFormat.TOKEN_RAW && schemas.size() > 1) {
                throw new IllegalArgumentException(
                        "%d schemas were added; the format token-raw allows only one"
                                .formatted(schemas.size()));
            }
            return new TokenDeserializer(this);
        }
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        check = new ArrivalCheck(inputs, timestamps);
        columns = new InputColumns(inputs);
        List<Schema> writers = schemas.stream().map(TokenDeserializer::parse).toList();
        if (format == RecordFormat.TOKEN) {
            decoder = TokenDecoder.singleObject(writers, columns);
        } else {
            decoder =
                    TokenDecoder.raw(
                            writers.isEmpty()
                                    ? io.flinkmoe.schemas.Token.getClassSchema()
                                    : writers.get(0),
                            columns);
        }
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Arrival> out) {
        Rejection rejection = reasonToRejectBytes(record);
        out.collect(
                rejection == null
                        ? check.arrival(token(), record)
                        : ArrivalCheck.rejected(record, rejection));
    }

    /** The token that was decoded last. */
    private Token token() {
        String stream = decoder.stream();
        return decoder.hasInputs()
                ? Token.of(stream, decoder.position(), decoder.timestamp(), columns.take())
                : new Token(stream, decoder.position(), decoder.timestamp(), decoder.values());
    }

    /** Decodes the record's value, or says why that is not possible. */
    private Rejection reasonToRejectBytes(ConsumerRecord<byte[], byte[]> record) {
        Rejection noValue = ArrivalCheck.reasonToRejectValue(record.value());
        if (noValue != null) {
            return noValue;
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
                case FORMAT, OTHER -> {
                    if (hasSchemaId) {
                        yield new Rejection(
                                Kind.CONFLUENT, e.getMessage() + CONFLUENT_HEADER_REASON);
                    }
                    boolean isFormat = e.kind() == MalformedRecordException.Kind.FORMAT;
                    yield new Rejection(isFormat ? Kind.FORMAT : Kind.MALFORMED, e.getMessage());
                }
            };
        }
    }

    @Override
    public TypeInformation<Arrival> getProducedType() {
        return Arrival.TYPE;
    }

    private static Schema parse(String json) {
        return new Schema.Parser().parse(json);
    }
}
