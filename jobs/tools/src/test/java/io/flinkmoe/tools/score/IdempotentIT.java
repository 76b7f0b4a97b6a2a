// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.apache.flink.core.execution.SavepointFormatType.NATIVE;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.utils.Utils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What readers see of a job with idempotent delivery that fails after it has written answers. */
class IdempotentIT {

    private static final int TOKENS = 400;
    private static final int STREAMS = 7;
    private static final int PARTITIONS = 3;

    /** Before 1970, too. */
    private static final long START = -100;

    private static final Map<String, String> TOPIC =
            Map.of(
                    "cleanup.policy", "compact,delete",
                    "retention.ms", "-1", // These events are from 1970.
                    "message.timestamp.type", "CreateTime",
                    "message.timestamp.after.max.ms", String.valueOf(Long.MAX_VALUE));

    @TempDir static Path dir;

    private static KafkaBroker broker;

    @BeforeAll
    static void start() throws Exception {
        broker = KafkaBroker.start(dir.resolve("kafka"));
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            broker.close();
        }
    }

    @Test
    void answersThatComeAgainAreTheSameAndTheFirstOnesAreInOrder() throws Exception {
        FailOnce.FAILED.set(false);
        Configuration options = options();
        StreamExecutionEnvironment env = TestJob.environment(2);
        List<String> warnings = new ArrayList<>();
        ScoringJob.build(env, options, warnings::add)
                .scored()
                .process(new FailOnce())
                .uid("fail-once")
                .sinkTo(new DiscardingSink<>())
                .uid("discard");

        JobClient job = env.executeAsync();
        produce(0, FailOnce.AT);
        await(FailOnce.AT); // Visible without a checkpoint.
        produce(FailOnce.AT, TOKENS);
        await(TOKENS + FailOnce.AT);
        job.stopWithSavepoint(true, dir.resolve("savepoint").toUri().toString(), NATIVE)
                .get(1, TimeUnit.MINUTES);

        assertThat(FailOnce.FAILED).isTrue();
        assertThat(warnings).isEmpty();
        Map<String, ConsumerRecord<byte[], byte[]>> first = new HashMap<>();
        Map<String, Long> last = new HashMap<>();
        int repeated = 0;
        for (ConsumerRecord<byte[], byte[]> record : read()) {
            String key = new String(record.key(), UTF_8);
            ConsumerRecord<byte[], byte[]> before = first.putIfAbsent(key, record);
            if (before != null) {
                repeated++;
                assertThat(record.value()).as(key).isEqualTo(before.value());
                assertThat(record.headers()).as(key).isEqualTo(before.headers());
                assertThat(record.timestamp()).as(key).isEqualTo(before.timestamp());
                continue;
            }
            io.flinkmoe.schemas.ScoredToken token =
                    io.flinkmoe.schemas.ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value()));
            long position = token.getPosition();
            String stream = "stream-" + position % STREAMS;
            assertThat(key).isEqualTo(stream + "/" + partition(stream) + "/" + position);
            assertThat(record.partition()).isEqualTo(partition(stream));
            assertThat(record.timestamp()).isEqualTo(Math.max(0, START + position));
            assertThat(position).isGreaterThan(last.getOrDefault(stream, -1L));
            last.put(stream, position);
        }
        assertThat(first).hasSize(TOKENS);
        assertThat(repeated).isGreaterThanOrEqualTo(FailOnce.AT);
    }

    private static Configuration options() throws Exception {
        for (String topic : List.of("in", "out", "dead")) {
            broker.createTopic("same-" + topic, PARTITIONS, TOPIC);
        }
        Configuration options = new Configuration();
        options.setString("moe.kafka.brokers", broker.bootstrapServers());
        options.setString("moe.bundle", FlightsBundle.create(dir).toString());
        options.setString("moe.source.topic", "same-in");
        options.setString("moe.sink.topic", "same-out");
        options.setString("moe.dead-letter.topic", "same-dead");
        options.set(KafkaOptions.SINK_DELIVERY, KafkaOptions.Delivery.IDEMPOTENT);
        // No checkpoint before the failure: all comes again.
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofHours(1));
        return options;
    }

    private static void produce(int from, int to) {
        TokenEncoder encoder = TokenEncoder.singleObject();
        Random random = new Random(from);
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            for (int i = from; i < to; i++) {
                String stream = "stream-" + i % STREAMS;
                byte[] value = encoder.encode(stream, i, START + i, FlightsBundle.features(random));
                producer.send(new ProducerRecord<>("same-in", stream.getBytes(UTF_8), value));
            }
        }
    }

    /** Kafka's default partitioner. */
    private static int partition(String stream) {
        return Utils.toPositive(Utils.murmur2(stream.getBytes(UTF_8))) % PARTITIONS;
    }

    private static void await(int records) {
        long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        while (read().size() < records) {
            assertThat(System.nanoTime()).as("time to wait").isLessThan(deadline);
        }
    }

    private static List<ConsumerRecord<byte[], byte[]>> read() {
        return TestTopics.readCommitted(broker.bootstrapServers(), "same-out");
    }

    /** Fails the job, once, at a token that comes when all before it have their answers. */
    private static final class FailOnce extends ProcessFunction<ScoredToken, Integer> {

        private static final long serialVersionUID = 1L;
        private static final int AT = 300;
        private static final AtomicBoolean FAILED = new AtomicBoolean();

        @Override
        public void processElement(ScoredToken token, Context context, Collector<Integer> out) {
            if (token.position() >= AT && FAILED.compareAndSet(false, true)) {
                throw new IllegalStateException("fails once, as this test wants");
            }
        }
    }
}
