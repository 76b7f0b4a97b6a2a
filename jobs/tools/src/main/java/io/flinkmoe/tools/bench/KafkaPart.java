// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.MoeResult;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.tools.bench.contenders.Contender;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.CountingSink;
import io.flinkmoe.tools.bench.contenders.FlinkRun;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.statistics.Rates;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The scoring job from Kafka to Kafka: Avro in and out, exactly once, a checkpoint every 2 s. The
 * broker runs in a separate process on the cores of the job. The tokens are in its topic before the
 * job starts.
 */
@Internal
final class KafkaPart {

    static final String MEMORY = "memory";
    static final String KAFKA = "kafka";

    static final String TOKENS = "tokens";
    static final String SCORED = "scored";
    static final String REJECTED = "rejected";
    static final int PARTITIONS = 4;
    static final int STREAMS = 128;
    private static final long MAX_BYTES = 1_500_000_000;
    private static final Duration CHECKPOINTS = Duration.ofSeconds(2);

    /** The topic has tokens for this many more seconds than the measurement takes at full speed. */
    private static final int SPARE_SECONDS = 3;

    private KafkaPart() {}

    static Rates measure(BenchContext context, Shape shape) throws Exception {
        Contenders contenders = context.contenders(shape);
        Contender memory = contenders.of(Contenders.FLINK_MOE);
        double rate = memory.rate(context.time());
        Path folder = context.folder().resolve("kafka-" + shape.name());
        Rates rates = new Rates();
        try (KafkaBroker broker = KafkaBroker.start(folder.resolve("broker"))) {
            for (String topic : new String[] {TOKENS, SCORED, REJECTED}) {
                broker.createTopic(topic, PARTITIONS, Map.of());
            }
            long tokens = (long) (rate * (SPARE_SECONDS + 2 * context.time().toMillis() / 1000.0));
            tokens = Math.min(tokens, MAX_BYTES / (Float.BYTES * shape.d()));
            context.report("%s: writing %,d tokens to Kafka", shape.name(), tokens);
            produce(broker.bootstrapServers(), shape.d(), tokens);
            WarmUp.run(
                    context,
                    shape.name() + ", Kafka to Kafka",
                    time -> rate(context, time, options(context, contenders, broker)));
            for (int round = 1; round <= context.rounds(); round++) {
                rates.add(MEMORY, memory.rate(context.time()));
                Configuration options = options(context, contenders, broker);
                rates.add(KAFKA, rate(context, context.time(), options));
                context.report(
                        "%s: Kafka to Kafka, round %d of %d",
                        shape.name(), round, context.rounds());
            }
        }
        return rates;
    }

    static double rate(BenchContext context, Duration time, Configuration options)
            throws Exception {
        StreamExecutionEnvironment env = context.cluster().environment(Contenders.PARALLELISM);
        MoeResult result = ScoringJob.build(env, options);
        result.scored().sinkTo(new CountingSink()).uid("counting-sink");
        try (FlinkRun run = FlinkRun.start(context.cluster(), env)) {
            run.rate(time.dividedBy(2));
            return run.rate(time);
        }
    }

    static Configuration options(BenchContext context, Contenders contenders, KafkaBroker broker)
            throws Exception {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, contenders.bundle().directory().toString());
        options.set(KafkaOptions.BROKERS, broker.bootstrapServers());
        options.set(KafkaOptions.SOURCE_TOPIC, TOKENS);
        options.set(KafkaOptions.SINK_TOPIC, SCORED);
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, REJECTED);
        // A new group, so that it reads from the start.
        options.set(KafkaOptions.SOURCE_GROUP_ID, "bench-" + UUID.randomUUID());
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINTS);
        options.addAll(context.options());
        return options;
    }

    static void produce(String brokers, int d, long count) throws Exception {
        produce(brokers, TOKENS, count, FormatsRecords.ofVector(d).of(RecordOptions.Format.TOKEN));
    }

    /** Writes records of {@link #STREAMS} streams. */
    static void produce(String brokers, String topic, long count, FormatsRecords.Values values)
            throws Exception {
        AtomicReference<Exception> failure = new AtomicReference<>();
        Map<String, Object> properties =
                Map.of(
                        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        brokers,
                        ProducerConfig.LINGER_MS_CONFIG,
                        5,
                        ProducerConfig.BATCH_SIZE_CONFIG,
                        1 << 18);
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(
                        properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (long i = 0; i < count && failure.get() == null; i++) {
                String stream = "stream-" + i % STREAMS;
                producer.send(
                        new ProducerRecord<>(
                                topic,
                                stream.getBytes(StandardCharsets.UTF_8),
                                values.of(stream, i)),
                        (metadata, exception) -> failure.compareAndSet(null, exception));
            }
        }
        if (failure.get() != null) {
            throw failure.get();
        }
    }
}
