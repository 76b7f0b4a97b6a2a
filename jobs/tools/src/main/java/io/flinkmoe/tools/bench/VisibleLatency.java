// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.MoeResult;
import io.flinkmoe.kafka.source.StartPosition;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.CountingSink;
import io.flinkmoe.tools.bench.contenders.FlinkRun;
import io.flinkmoe.tools.bench.contenders.Pool;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.kafka.KafkaBroker;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.Histogram;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * How long after a token is due its answer is visible to a reader of Kafka: with idempotent
 * delivery, at half of the highest rate of the same delivery. Producer, broker, job and reader
 * share the cores of the machine. The position of a token is the microsecond at which it is due,
 * which the reader finds in the key of the answer.
 */
@Internal
final class VisibleLatency {

    private static final double LOAD = 0.5;
    private static final int WARM_UP_ROUNDS = 4;
    private static final int SPARE_SECONDS = 3;
    private static final Map<String, String> APPEND_TIME =
            Map.of("message.timestamp.type", "LogAppendTime");

    private VisibleLatency() {}

    static Latency measure(BenchContext context, Shape shape) throws Exception {
        Contenders contenders = context.contenders(shape);
        Path folder = context.folder().resolve("visible-" + shape.name());
        try (KafkaBroker broker = KafkaBroker.start(folder.resolve("broker"))) {
            for (String topic : new String[] {"tokens", "scored", "rejected"}) {
                broker.createTopic(topic, KafkaPart.PARTITIONS, APPEND_TIME);
            }
            double memory = contenders.of(Contenders.FLINK_MOE).rate(context.time());
            long tokens =
                    (long) (memory * (SPARE_SECONDS + 2 * context.time().toMillis() / 1000.0));
            context.report("%s: writing %,d tokens to Kafka", shape.name(), tokens);
            KafkaPart.produce(broker.bootstrapServers(), shape.d(), tokens);
            double highest = 0;
            for (int round = 1; round <= WARM_UP_ROUNDS; round++) {
                Configuration options = options(context, contenders, broker, "highest-" + round);
                highest = KafkaPart.rate(context, options); // The last one is warm.
            }
            context.report(
                    "%s: visible answers at %.0f %% of %,.0f", shape.name(), 100 * LOAD, highest);
            Configuration options = options(context, contenders, broker, "latency");
            options.set(KafkaOptions.SOURCE_START, StartPosition.LATEST);
            return measure(context, options, new Load(broker, shape, LOAD * highest));
        }
    }

    private static Configuration options(
            BenchContext context, Contenders contenders, KafkaBroker broker, String group)
            throws Exception {
        Configuration options = KafkaPart.options(context, contenders, broker, group);
        options.set(KafkaOptions.SINK_DELIVERY, KafkaOptions.Delivery.IDEMPOTENT);
        return options;
    }

    private static Latency measure(BenchContext context, Configuration options, Load load)
            throws Exception {
        StreamExecutionEnvironment env = context.cluster().environment(Contenders.PARALLELISM);
        MoeResult result = ScoringJob.build(env, options);
        result.scored().sinkTo(new CountingSink()).uid("counting-sink");
        Thread producer = new Thread(load, "bench-producer");
        producer.start();
        try (FlinkRun run = FlinkRun.start(context.cluster(), env)) {
            Histogram micros = read(load, context.time());
            run.requireAlive();
            return new Latency(
                    LOAD,
                    load.rate,
                    micros.getValueAtPercentile(50) / 1000.0,
                    micros.getValueAtPercentile(99) / 1000.0,
                    micros.getValueAtPercentile(99.9) / 1000.0);
        } finally {
            load.ended = true;
            producer.join();
        }
    }

    /** Reads what becomes visible, and counts it after a while. */
    private static Histogram read(Load load, Duration time) {
        Histogram micros = new Histogram(3);
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(
                        Map.of("bootstrap.servers", load.brokers),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer())) {
            List<TopicPartition> partitions =
                    consumer.partitionsFor("scored").stream()
                            .map(info -> new TopicPartition("scored", info.partition()))
                            .toList();
            consumer.assign(partitions);
            consumer.seekToEnd(partitions);
            long start = System.nanoTime() + time.toNanos();
            long end = start + 2 * time.toNanos();
            for (long now = System.nanoTime(); now < end; now = System.nanoTime()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(10))) {
                    if (now >= start) {
                        micros.recordValue(
                                Math.max(0, System.nanoTime() / 1000 - position(record.key())));
                    }
                }
            }
        }
        if (micros.getTotalCount() == 0) {
            throw new IllegalStateException("no answer became visible in " + time.multipliedBy(2));
        }
        return micros;
    }

    /** The number at the end of a key. */
    private static long position(byte[] key) {
        String text = new String(key, StandardCharsets.UTF_8);
        return Long.parseLong(text.substring(text.lastIndexOf('/') + 1));
    }

    /** Sends tokens at a steady rate until it is ended. */
    private static final class Load implements Runnable {

        private final String brokers;
        private final Shape shape;
        private final double rate;
        private volatile boolean ended;

        Load(KafkaBroker broker, Shape shape, double rate) {
            this.brokers = broker.bootstrapServers();
            this.shape = shape;
            this.rate = rate;
        }

        @Override
        public void run() {
            float[][] pool = Pool.of(shape.d(), 0);
            TokenEncoder encoder = TokenEncoder.singleObject();
            try (KafkaProducer<byte[], byte[]> producer =
                    new KafkaProducer<>(
                            Map.of(
                                    "bootstrap.servers",
                                    brokers,
                                    "linger.ms",
                                    1,
                                    "batch.size",
                                    1 << 16),
                            new ByteArraySerializer(),
                            new ByteArraySerializer())) {
                long start = System.nanoTime();
                for (long i = 0; !ended; i++) {
                    long due = start + (long) (i * 1e9 / rate);
                    LockSupport.parkNanos(due - System.nanoTime());
                    String stream = "stream-" + i % KafkaPart.STREAMS;
                    byte[] value =
                            encoder.encode(
                                    stream,
                                    due / 1000,
                                    System.currentTimeMillis(),
                                    pool[(int) (i % pool.length)]);
                    producer.send(
                            new ProducerRecord<>(
                                    "tokens", stream.getBytes(StandardCharsets.UTF_8), value));
                }
            }
        }
    }
}
