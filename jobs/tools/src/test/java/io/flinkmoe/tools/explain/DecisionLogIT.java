// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.explain;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerRanking;
import io.flinkmoe.schemas.RankedExpert;
import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.schemas.SettledChoice;
import io.flinkmoe.schemas.Token;
import io.flinkmoe.schemas.TokenDecision;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.kafka.TestTopics;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The decision log and the late tokens of a scoring job, from Kafka to Kafka. */
class DecisionLogIT {

    private static final int TOKENS = 400;
    private static final int LATE = 5;
    private static final long START = 1_700_000_000_000L;

    @TempDir private static Path dir;
    private static KafkaBroker broker;

    @BeforeAll
    static void score() throws Exception {
        broker = KafkaBroker.start(dir.resolve("kafka"));
        for (String topic : List.of("in", "out", "dead", "decisions", "late")) {
            broker.createTopic(topic, 1, Map.of("message.timestamp.type", "CreateTime"));
        }
        produce();
        Configuration options = new Configuration();
        options.set(KafkaOptions.BROKERS, broker.bootstrapServers());
        options.set(KafkaOptions.SOURCE_TOPIC, "in");
        options.set(KafkaOptions.SOURCE_STOP, KafkaOptions.Stop.LATEST);
        options.set(KafkaOptions.SOURCE_MAX_OUT_OF_ORDERNESS, Duration.ofSeconds(1));
        options.set(KafkaOptions.SINK_TOPIC, "out");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, "dead");
        options.set(KafkaOptions.DECISION_LOG_TOPIC, "decisions");
        options.set(KafkaOptions.LATE_TOPIC, "late");
        options.set(MoeOptions.BUNDLE, FlightsBundle.create(dir).toString());
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 10);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofMinutes(1));
        options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
        options.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                dir.resolve("checkpoints").toUri().toString());
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(2, new Configuration());
        ScoringJob.build(env, options);
        env.execute();
        for (String topic : List.of("out", "decisions", "late")) {
            read(topic); // From then on the last transactions show.
        }
    }

    /** A token a second; the last ones are far behind. */
    private static void produce() {
        Random random = new Random(3);
        TokenEncoder encoder = TokenEncoder.singleObject();
        try (KafkaProducer<byte[], byte[]> producer =
                TestTopics.producer(broker.bootstrapServers())) {
            for (int i = 0; i < TOKENS + LATE; i++) {
                long timestamp = START + (i < TOKENS ? 1_000L * i : i);
                byte[] value = encoder.encode("s", i, timestamp, FlightsBundle.features(random));
                producer.send(new ProducerRecord<>("in", value));
            }
        }
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            broker.close();
        }
    }

    @Test
    void logsWhyEachScoredTokenWentWhereItWent() throws IOException {
        Map<Long, TokenDecision> decisions = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : read("decisions")) {
            TokenDecision decision = TokenDecision.fromByteBuffer(ByteBuffer.wrap(record.value()));
            assertThat(decisions.put(decision.getPosition(), decision)).isNull();
        }
        assertThat(decisions).hasSize(TOKENS);
        Map<String, Integer> outcomes = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : read("out")) {
            ScoredToken token = ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value()));
            TokenDecision decision = decisions.get(token.getPosition());
            assertThat(decision.getWindowStart())
                    .isEqualTo(token.getTimestamp().toEpochMilli() / 60_000 * 60_000);
            LayerRanking layer = decision.getLayers().get(0);
            List<Choice> choices = token.getLayers().get(0).getChoices();
            assertThat(layer.getGates()).hasSize(1);
            assertThat(layer.getGates().get(0).getName()).isEqualTo("0");
            List<RankedExpert> ranks = layer.getGates().get(0).getRanks();
            assertThat(ranks).hasSize(2 * choices.size());
            for (int j = 0; j < choices.size(); j++) {
                SettledChoice settled = layer.getChoices().get(j);
                String outcome = settled.getOutcome().name();
                outcomes.merge(outcome, 1, Integer::sum);
                assertThat(outcome).isEqualTo(choices.get(j).getOutcome().name());
                int attempt = outcome.equals("REROUTED") ? 1 : 0;
                assertThat(settled.getAttempt()).isGreaterThanOrEqualTo(attempt);
                assertThat(ranks.get(j + attempt * choices.size()).getExpert())
                        .isEqualTo(choices.get(j).getExpert());
                assertThat(settled.getExpert()).isEqualTo(choices.get(j).getExpert());
            }
        }
        assertThat(outcomes).containsOnlyKeys("EXECUTED", "REROUTED", "OVERFLOWED");
    }

    @Test
    void sendsLateTokensToTheirTopicAsTheyCame() throws IOException {
        assertThat(read("out")).hasSize(TOKENS);
        List<ConsumerRecord<byte[], byte[]>> late = read("late");
        assertThat(late).hasSize(LATE);
        Token first = Token.fromByteBuffer(ByteBuffer.wrap(late.get(0).value()));
        assertThat(first.getPosition()).isEqualTo(TOKENS);
        assertThat(first.getTimestamp().toEpochMilli()).isEqualTo(START + TOKENS);
        assertThat(first.getValues()).hasSize(10);
    }

    @Test
    void isExplainedOnTheCommandLine() {
        Program known = explain("decisions", "s", "17");

        assertThat(known.exitCode()).as(known.err()).isZero();
        assertThat(known.out())
                .contains("stream", "starts at 20", "Layer 0", "choice 2, attempt 2");
    }

    @Test
    void isExplainedByTheConfigurationFileOfTheJob() throws IOException {
        Path file =
                Files.writeString(
                        dir.resolve("job.yaml"),
                        """
                        moe:
                          bundle: s3://not/asked/for
                          kafka:
                            brokers: %s
                            properties: {client.id: explainer}
                          source.topic: in
                          decision-log.topic: decisions
                        execution.checkpointing.interval: 10 s
                        """
                                .formatted(broker.bootstrapServers()));

        Program known =
                Program.run("explain", "--config", file, "--stream", "s", "--position", "17");

        assertThat(known.exitCode()).as(known.err()).isZero();
        assertThat(known.out()).contains("Layer 0");
    }

    @Test
    void sayingOfATokenThatItLacksWhatItHolds() {
        assertFails(
                explain("decisions", "s", "4711"),
                "the topic decisions has no committed entry for position 4711 of stream s",
                "It contains 400 entries (positions 0 to 399) of stream s.");
        assertFails(
                explain("decisions", "t", "17"),
                "It contains no entries of stream t and 400 of other streams: s.");
    }

    @Test
    void isToldFromAnotherTopicAndFromNone() {
        assertFails(explain("in", "s", "17"), "405 records are not decisions", "moe.format");
        assertFails(
                explain("dezisions", "s", "17"),
                "the topic dezisions (moe.decision-log.topic) does not exist");
    }

    private static void assertFails(Program program, String... messages) {
        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains(messages);
    }

    @Test
    void readingItIsWatchedToItsEnd() throws IOException {
        Configuration options = new Configuration();
        options.set(KafkaOptions.BROKERS, broker.bootstrapServers());
        options.set(KafkaOptions.DECISION_LOG_TOPIC, "decisions");
        List<Long> left = new ArrayList<>();

        DecisionLog log =
                DecisionLog.read(options, "s", 17, (records, all) -> left.add(all - records));

        assertThat(log.found()).hasSize(1);
        assertThat(left).isSortedAccordingTo(Comparator.reverseOrder()).endsWith(0L);
    }

    private static Program explain(String topic, String stream, String position) {
        return Program.run(
                "explain",
                "--kafka.brokers",
                broker.bootstrapServers(),
                "--decision-log.topic",
                topic,
                "--stream",
                stream,
                "--position",
                position);
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        return TestTopics.readCommitted(broker.bootstrapServers(), topic);
    }
}
