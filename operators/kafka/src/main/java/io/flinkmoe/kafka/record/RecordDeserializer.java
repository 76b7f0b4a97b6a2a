// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.kafka.ArrivalCheck;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.decode.BadRecordException;
import io.flinkmoe.kafka.decode.RecordReader;
import io.flinkmoe.kafka.decode.RecordReader.Part;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.registry.RegistryUse;
import io.flinkmoe.kafka.registry.WriterSchemas;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
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
 * AnswerFields answer = AnswerFields.of(layers.outputs()).keep("id", "merchant");
 * RecordDeserializer deserializer =
 *         RecordDeserializer.of(layers.inputs(), binding, RecordEncoding.json()).answers(answer);
 * }</pre>
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
    private final RecordEncoding values;
    private final RecordEncoding keys;
    private final RegistryUse registry;
    private final ArrayList<AbsentField> absent;
    private TimestampRules timestamps = TimestampRules.DEFAULT;
    private AnswerFields answer;
    private int maxKeptBytes = TokenCheck.MAX_PAYLOAD_BYTES;

    private transient RecordReader reader;
    private transient List<RecordReader> readers;
    private transient TokenBinder binder;
    private transient KeptParts kept;
    private transient ArrivalCheck check;
    private transient boolean isOpen;

    private RecordDeserializer(
            InputLayout inputs, RecordBinding binding, RecordEncoding values, RecordEncoding keys) {
        this.inputs = inputs;
        this.binding = binding;
        this.values = values;
        this.keys = keys;
        boolean readsKeys = binding.stream() instanceof RecordBinding.Stream.OfKeyField;
        this.registry = registry(values, readsKeys ? keys : RecordEncoding.text()).orElse(null);
        TokenBinder check =
                new TokenBinder(
                        binding,
                        inputs,
                        values.ofFields(Part.VALUE),
                        () -> keys.ofFields(Part.KEY));
        this.absent = new ArrayList<>(check.absent());
    }

    /**
     * The fields that inputs are read from, and that the schema of the records does not have. Each
     * record has there what stands for a missing value.
     */
    public List<AbsentField> absentFields() {
        return List.copyOf(absent);
    }

    private static Optional<RegistryUse> registry(RecordEncoding values, RecordEncoding keys) {
        Optional<RegistrySettings> ofValues = values.registry();
        Optional<RegistrySettings> ofKeys = keys.registry();
        if (ofValues.isPresent() && ofKeys.isPresent() && !ofValues.equals(ofKeys)) {
            throw new IllegalArgumentException(
                    "values and keys have the registries %s and %s; allowed: one registry"
                            .formatted(ofValues.get(), ofKeys.get()));
        }
        RegistryUse.Parts parts = new RegistryUse.Parts(ofValues.isPresent(), ofKeys.isPresent());
        return ofValues.or(() -> ofKeys)
                .map(one -> new RegistryUse(UUID.randomUUID().toString(), one, parts));
    }

    /**
     * Reads records whose keys are text, or do not matter.
     *
     * @param inputs the inputs of the model
     * @param values how values are encoded
     * @throws IllegalArgumentException if the binding does not fit the inputs or the records
     */
    public static RecordDeserializer of(
            InputLayout inputs, RecordBinding binding, RecordEncoding values) {
        return of(inputs, binding, values, RecordEncoding.text());
    }

    /**
     * @param inputs the inputs of the model
     * @param values how values are encoded
     * @param keys how keys are encoded; matters only if the stream is a field of the key
     * @throws IllegalArgumentException if the binding does not fit the inputs or the records
     */
    public static RecordDeserializer of(
            InputLayout inputs, RecordBinding binding, RecordEncoding values, RecordEncoding keys) {
        return new RecordDeserializer(inputs, binding, values, keys);
    }

    /**
     * Keeps parts of records for their answers. By default, nothing is kept.
     *
     * @throws IllegalArgumentException if the records do not have them, or not these names
     */
    public RecordDeserializer answers(AnswerFields fields) {
        new KeptParts(fields, values.ofFields(Part.VALUE), maxKeptBytes);
        answer = fields.keepNothing() ? null : fields;
        return this;
    }

    /**
     * Sets how large the kept fields and headers of a record may be together. A larger record is a
     * dead letter, so that its answer fits a message. By default, the limit is {@value
     * TokenCheck#MAX_PAYLOAD_BYTES}; it cannot be larger.
     */
    public RecordDeserializer maxKeptBytes(int bytes) {
        maxKeptBytes = Math.min(bytes, TokenCheck.MAX_PAYLOAD_BYTES);
        return this;
    }

    /** Sets which timestamps are accepted. */
    public RecordDeserializer timestamps(TimestampRules rules) {
        timestamps = rules;
        return this;
    }

    @Override
    public Optional<RegistryUse> registry() {
        return Optional.ofNullable(registry);
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) throws IOException {
        Optional<WriterSchemas> schemas = Optional.empty();
        if (registry != null) {
            schemas = Optional.of(registry.acquire());
        }
        isOpen = true;
        reader = values.open(Part.VALUE, schemas);
        readers = new ArrayList<>(List.of(reader));
        binder = new TokenBinder(binding, inputs, reader, keyReader(schemas));
        kept = answer == null ? null : new KeptParts(answer, reader, maxKeptBytes);
        check = new ArrivalCheck(inputs, timestamps);
        if (context != null && values.readerSchema().isPresent()) {
            context.getMetricGroup()
                    .addGroup("moe")
                    .gauge("numFieldsDropped", (Gauge<Integer>) () -> droppedFields().size());
        }
    }

    private StreamName.KeyReader keyReader(Optional<WriterSchemas> schemas) {
        return () -> {
            RecordReader ofKeys = keys.open(Part.KEY, schemas);
            readers.add(ofKeys);
            return ofKeys;
        };
    }

    @Override
    public Set<String> droppedFields() {
        Set<String> dropped = new TreeSet<>();
        for (RecordReader one : readers) {
            dropped.addAll(one.dropped());
        }
        return dropped;
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
            Object decoded = reader.decode(record.value());
            Token token = binder.token(decoded, record);
            return check.arrival(
                    kept == null ? token : token.withPayload(kept.payload(decoded, record)),
                    record);
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
