// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.kafka.ArrivalCheck;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.registry.RegistryUse;
import java.io.IOException;
import java.util.Optional;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Reads users' own records from Kafka: JSON, Avro, or Avro with schemas in a registry. Each record
 * becomes one {@link Arrival}: either a token, or a dead letter with the complete record, its
 * origin and the reason. An invalid record never fails the job.
 *
 * <pre>{@code
 * RecordBinding binding =
 *         RecordBinding.ofStream("card")
 *                 .timestamp("at")
 *                 .feature("numeric", "amount", "geo.distance")
 *                 .featureOr("country", "??", "geo.country");
 * RecordDeserializer deserializer = RecordDeserializer.json(layers.inputs(), binding);
 * }</pre>
 *
 * <p>With Avro, records are decoded with the reader's schema that is given here, whatever schema
 * they were written with. A field that it does not have is dropped. A field that a record does not
 * have gets its default, else null if the schema allows it, else the record is a dead letter.
 *
 * <p>With a registry, use it in a {@link io.flinkmoe.kafka.source.TokenSource}: while the registry
 * is away, the source waits, and checkpoints go on.
 */
@PublicEvolving
public final class RecordDeserializer
        implements KafkaRecordDeserializationSchema<Arrival>,
                RegistryUse.ByDeserializer,
                AutoCloseable {

    private static final long serialVersionUID = 1L;

    private final InputLayout inputs;
    private final RecordBinding binding;
    private final Format format;
    private TimestampRules timestamps = TimestampRules.DEFAULT;

    private transient RecordReader reader;
    private transient TokenBinder binder;
    private transient KeptParts kept;
    private transient ArrivalCheck check;
    private transient boolean isOpen;

    /**
     * The format of records.
     *
     * @param writerSchema the schema that Avro records without a header were written with, or null
     * @param readerSchema the schema that they are decoded with; null: they are JSON
     * @param registry where the schemas of records with Confluent's header are, or null
     */
    private record Format(String writerSchema, String readerSchema, RegistryUse registry)
            implements java.io.Serializable {

        RecordReader open() throws IOException {
            if (readerSchema == null) {
                return new JsonReader();
            }
            return new AvroReader(
                    parse(readerSchema),
                    registry == null
                            ? AvroReader.WriterOf.always(parse(writerSchema))
                            : new RegistryWriters(registry.acquire()));
        }

        /** A reader that finds fields, and decodes nothing. */
        RecordReader ofFields() {
            return readerSchema == null
                    ? new JsonReader()
                    : new AvroReader(parse(readerSchema), null);
        }

        private static Schema parse(String schema) {
            return new Schema.Parser().setValidateDefaults(false).parse(schema);
        }
    }

    private RecordDeserializer(InputLayout inputs, RecordBinding binding, Format format) {
        this.inputs = inputs;
        this.binding = binding;
        this.format = format;
        new TokenBinder(binding, inputs, format.ofFields());
        if (format.readerSchema() != null && !binding.kept().isEmpty()) {
            throw new IllegalArgumentException(
                    "the fields %s are kept; allowed with Avro: none, because only answers in JSON have kept fields"
                            .formatted(binding.kept()));
        }
    }

    /**
     * Reads JSON objects.
     *
     * @param inputs the inputs of the model
     * @throws IllegalArgumentException if the binding does not fit the inputs
     */
    public static RecordDeserializer json(InputLayout inputs, RecordBinding binding) {
        return new RecordDeserializer(inputs, binding, new Format(null, null, null));
    }

    /**
     * Reads Avro records without a header, which were all written with one schema.
     *
     * @param inputs the inputs of the model
     * @param schema the schema
     * @throws IllegalArgumentException if the binding does not fit the inputs or the schema
     */
    public static RecordDeserializer avro(
            InputLayout inputs, RecordBinding binding, Schema schema) {
        return new RecordDeserializer(
                inputs, binding, new Format(schema.toString(), schema.toString(), null));
    }

    /**
     * Reads Avro records in Confluent's wire format.
     *
     * @param inputs the inputs of the model
     * @param readerSchema the schema that they are decoded with
     * @throws IllegalArgumentException if the binding does not fit the inputs or the schema
     */
    public static RecordDeserializer registry(
            InputLayout inputs,
            RecordBinding binding,
            RegistrySettings registry,
            Schema readerSchema) {
        RegistryUse use = new RegistryUse(UUID.randomUUID().toString(), registry);
        return new RecordDeserializer(
                inputs, binding, new Format(null, readerSchema.toString(), use));
    }

    /** Sets which timestamps are accepted. */
    public RecordDeserializer timestamps(TimestampRules rules) {
        timestamps = rules;
        return this;
    }

    @Override
    public Optional<RegistryUse> registry() {
        return Optional.ofNullable(format.registry());
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) throws IOException {
        reader = format.open();
        isOpen = true;
        binder = new TokenBinder(binding, inputs, reader);
        kept = new KeptParts(binding);
        check = new ArrivalCheck(inputs, timestamps);
        if (context != null && reader instanceof AvroReader avro) {
            context.getMetricGroup()
                    .addGroup("moe")
                    .gauge("numFieldsDropped", (Gauge<Integer>) avro::dropped);
        }
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Arrival> out) {
        out.collect(arrival(record));
    }

    private Arrival arrival(ConsumerRecord<byte[], byte[]> record) {
        Rejection noValue = ArrivalCheck.reasonToRejectValue(record.value());
        if (noValue != null) {
            return ArrivalCheck.rejected(record, noValue);
        }
        try {
            Token token = binder.token(reader.decode(record.value()), record);
            return check.arrival(
                    kept.isEmpty() ? token : token.withPayload(kept.payload(record)), record);
        } catch (BadRecordException e) {
            return ArrivalCheck.rejected(record, e.rejection());
        }
    }

    @Override
    public TypeInformation<Arrival> getProducedType() {
        return Arrival.TYPE;
    }

    /** Lets the registry go. Called by the source. */
    @Override
    public void close() {
        if (isOpen) {
            isOpen = false;
            registry().ifPresent(RegistryUse::release);
        }
    }
}
