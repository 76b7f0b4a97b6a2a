// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.scoring.record.RecordOptions.Format;
import io.flinkmoe.scoring.record.RegistryOptions;
import io.flinkmoe.tools.bench.contenders.Contender;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.statistics.Rates;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/**
 * The scoring job from Kafka to Kafka with users' own records, in each format, compared with
 * tokens. All have the same vectors. A record has a field for each number, an id that its answer
 * keeps, and its stream; it has its time and position from Kafka.
 */
@Internal
final class FormatsPart {

    static final List<String> FORMATS =
            List.of(
                    Format.TOKEN.toString(),
                    Format.JSON.toString(),
                    Format.AVRO_REGISTRY.toString());

    private static final int SPARE_SECONDS = 3;

    /** More would not stay in memory, and the disk would be measured. */
    private static final long MAX_NUMBERS = 50_000_000;

    private FormatsPart() {}

    static Rates measure(BenchContext context, Shape shape) throws Exception {
        Contenders contenders = context.contenders(shape);
        Contender memory = contenders.of(Contenders.FLINK_MOE);
        double rate = memory.rate(context.time());
        long tokens = (long) (rate * (SPARE_SECONDS + 2 * context.time().toMillis() / 1000.0));
        tokens = Math.min(tokens, MAX_NUMBERS / shape.d());
        Path folder = context.folder().resolve("formats-" + shape.name());
        FormatsRecords records = new FormatsRecords(shape.d());
        try (KafkaBroker broker = KafkaBroker.start(folder.resolve("broker"));
                BenchRegistry registry = new BenchRegistry(records.schema())) {
            Path schema = Files.writeString(folder.resolve("a.avsc"), records.schema().toString());
            for (String format : FORMATS) {
                for (String topic : List.of("in", "out", "dead")) {
                    broker.createTopic(format + "-" + topic, KafkaPart.PARTITIONS, Map.of());
                }
                context.report("%s: writing %,d records in %s", shape.name(), tokens, format);
                KafkaPart.produce(
                        broker.bootstrapServers(), format + "-in", tokens, records.of(format));
            }
            Run run = new Run(context, shape, broker, records.features(), schema, registry.url());
            return run.rates();
        }
    }

    /**
     * @param features the fields with the numbers
     * @param schema the file with the schema of the records in Avro
     */
    private record Run(
            BenchContext context,
            Shape shape,
            KafkaBroker broker,
            String features,
            Path schema,
            String registry) {

        Rates rates() throws Exception {
            for (String format : FORMATS) {
                WarmUp.run(context, shape.name() + ", " + format, time -> rate(format, time));
            }
            Rates rates = new Rates();
            for (int round = 1; round <= context.rounds(); round++) {
                for (String format : FORMATS) {
                    double rate = rate(format, context.time());
                    rates.add(format, rate);
                    context.report(
                            "%s: %s, round %d of %d: %,.0f records/s",
                            shape.name(), format, round, context.rounds(), rate);
                }
            }
            return rates;
        }

        private double rate(String format, Duration time) throws Exception {
            return KafkaPart.rate(context, time, options(format));
        }

        private Configuration options(String format) throws Exception {
            Configuration options = KafkaPart.options(context, context.contenders(shape), broker);
            options.set(KafkaOptions.SOURCE_TOPIC, format + "-in");
            options.set(KafkaOptions.SINK_TOPIC, format + "-out");
            options.set(KafkaOptions.DEAD_LETTER_TOPIC, format + "-dead");
            options.setString(RecordOptions.FORMAT.key(), format);
            if (!options.get(RecordOptions.FORMAT).isToken()) {
                options.set(RecordOptions.STREAM, "card");
                options.setString(RecordOptions.FEATURES.key() + ".x", features);
                options.set(RecordOptions.KEEP, List.of("id"));
            }
            if (options.get(RecordOptions.FORMAT) == Format.AVRO_REGISTRY) {
                options.set(RecordOptions.SCHEMA, schema.toString());
                options.set(RegistryOptions.URL, List.of(registry));
            }
            return options;
        }
    }
}
