// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.scoring.record.RecordOptions.Format;
import io.flinkmoe.scoring.record.RegistryOptions;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.statistics.Rates;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/**
 * The scoring job from Kafka to Kafka with users' own records, in each format, compared with
 * tokens. All have the same vectors: in one field, as a token has it, or in a field for each
 * number. A record also has an id that its answer keeps, and its stream; it has its time and
 * position from Kafka.
 */
@Internal
final class FormatsPart {

    static final String TOKEN = Format.TOKEN.toString();

    private static final int SPARE_SECONDS = 3;

    /** More bytes in a topic would not stay in memory, and the disk would be measured. */
    private static final long MAX_BYTES = 800_000_000;

    private final BenchContext context;
    private final Shape shape;
    private final KafkaBroker broker;
    private final List<Variant> variants;

    private FormatsPart(
            BenchContext context, Shape shape, KafkaBroker broker, List<Variant> variants) {
        this.context = context;
        this.shape = shape;
        this.broker = broker;
        this.variants = variants;
    }

    /**
     * A kind of records.
     *
     * @param schema the file with their schema in Avro
     * @param registry the URL of a registry with this schema
     */
    private record Variant(FormatsRecords records, Format format, Path schema, String registry) {

        @Override
        public String toString() {
            return format == Format.TOKEN ? TOKEN : format + records.suffix();
        }
    }

    /** Returns the rates, first of all that of tokens. */
    static Rates measure(BenchContext context, Shape shape) throws Exception {
        Path folder = context.folder().resolve("formats-" + shape.name());
        FormatsRecords vector = FormatsRecords.ofVector(shape.d());
        FormatsRecords numbers = FormatsRecords.ofNumbers(shape.d());
        try (KafkaBroker broker = KafkaBroker.start(folder.resolve("broker"));
                BenchRegistry ofVector = new BenchRegistry(vector.schema());
                BenchRegistry ofNumbers = new BenchRegistry(numbers.schema())) {
            List<Variant> variants = new ArrayList<>();
            Path schema = write(vector, folder);
            variants.add(new Variant(vector, Format.TOKEN, schema, ofVector.url()));
            variants.add(new Variant(vector, Format.JSON, schema, ofVector.url()));
            variants.add(new Variant(vector, Format.AVRO_REGISTRY, schema, ofVector.url()));
            schema = write(numbers, folder);
            variants.add(new Variant(numbers, Format.JSON, schema, ofNumbers.url()));
            variants.add(new Variant(numbers, Format.AVRO_REGISTRY, schema, ofNumbers.url()));
            FormatsPart part = new FormatsPart(context, shape, broker, variants);
            part.produce();
            return part.rates();
        }
    }

    private static Path write(FormatsRecords records, Path folder) throws IOException {
        Path file = folder.resolve("record" + records.suffix() + ".avsc");
        return Files.writeString(file, records.schema().toString());
    }

    private void produce() throws Exception {
        double rate = context.contenders(shape).of(Contenders.FLINK_MOE).rate(context.time());
        double seconds = SPARE_SECONDS + 2 * context.time().toMillis() / 1000.0;
        for (Variant variant : variants) {
            for (String topic : List.of("in", "out", "dead")) {
                broker.createTopic(variant + "-" + topic, KafkaPart.PARTITIONS, Map.of());
            }
            FormatsRecords.Values values = variant.records.of(variant.format);
            long most = MAX_BYTES / values.of("stream", 0).length;
            long records = Math.min((long) (rate * seconds), most);
            context.report("%s: writing %,d records in %s", shape.name(), records, variant);
            KafkaPart.produce(broker.bootstrapServers(), variant + "-in", records, values);
        }
    }

    private Rates rates() throws Exception {
        // In turn: what is compiled for one format alone is compiled again for the next.
        WarmUp.run(context, shape.name() + ", all formats", this::rateOfAll);
        Rates rates = new Rates();
        for (int round = 1; round <= context.rounds(); round++) {
            for (Variant variant : variants) {
                double rate = rate(variant, context.time());
                rates.add(variant.toString(), rate);
                context.report(
                        "%s: %s, round %d of %d: %,.0f records/s",
                        shape.name(), variant, round, context.rounds(), rate);
            }
        }
        return rates;
    }

    /** Returns how many records are read per second if there are as many in each format. */
    private double rateOfAll(Duration time) throws Exception {
        double secondsPerRecord = 0;
        for (Variant variant : variants) {
            secondsPerRecord += 1 / rate(variant, time);
        }
        return variants.size() / secondsPerRecord;
    }

    private double rate(Variant variant, Duration time) throws Exception {
        return KafkaPart.rate(context, time, options(variant));
    }

    private Configuration options(Variant variant) throws Exception {
        Configuration options = KafkaPart.options(context, context.contenders(shape), broker);
        options.set(KafkaOptions.SOURCE_TOPIC, variant + "-in");
        options.set(KafkaOptions.SINK_TOPIC, variant + "-out");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, variant + "-dead");
        options.set(RecordOptions.FORMAT, variant.format);
        if (variant.format != Format.TOKEN) {
            options.set(RecordOptions.STREAM, "card");
            options.setString(RecordOptions.FEATURES.key() + ".x", variant.records.features());
            options.set(RecordOptions.KEEP, List.of("id"));
        }
        if (variant.format == Format.AVRO_REGISTRY) {
            options.set(RecordOptions.SCHEMA, variant.schema.toString());
            options.set(RegistryOptions.URL, List.of(variant.registry));
        }
        return options;
    }
}
