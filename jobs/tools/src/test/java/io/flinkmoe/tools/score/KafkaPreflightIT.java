// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.KafkaPreflight;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.machine.FreePorts;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KafkaPreflightIT {

    @TempDir static Path dir;

    private final Map<ConfigOption<String>, Long> largest = new HashMap<>();
    private final List<String> warnings = new ArrayList<>();

    private static KafkaBroker broker;

    @BeforeAll
    static void start() throws IOException {
        broker = KafkaBroker.start(dir);
        broker.createTopic("in", 3, Map.of());
        broker.createTopic("out", 1, Map.of());
        broker.createTopic("dead", 1, Map.of());
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            broker.close();
        }
    }

    @Test
    void countsThePartitionsOfTheSource() throws IOException {
        assertThat(check(options(broker.bootstrapServers())).sourcePartitions()).isEqualTo(3);
        assertThat(warnings).isEmpty();
    }

    @Test
    void namesEveryMissingTopic() {
        Configuration options = options(broker.bootstrapServers());
        options.set(KafkaOptions.SOURCE_TOPIC, "nobody-made-this");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, "nor-this");

        assertThatThrownBy(() -> check(options))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "Kafka at %s: the topic nobody-made-this (moe.source.topic) does not"
                                + " exist, the topic nor-this (moe.dead-letter.topic) does not"
                                + " exist; create the missing topics or correct the options",
                        broker.bootstrapServers());
    }

    @Test
    void refusesTransactionsLongerThanTheBrokerAllows() {
        Configuration options = options(broker.bootstrapServers());
        options.set(KafkaOptions.SINK_TRANSACTION_TIMEOUT, Duration.ofHours(1));

        assertThatThrownBy(() -> check(options))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "moe.sink.transaction-timeout is 3600000 ms, but the brokers %s have"
                                + " transaction.max.timeout.ms=900000; lower the first or raise the second",
                        broker.bootstrapServers());
    }

    @Test
    void saysSoonThatNobodyListens() throws IOException {
        assertSaysSoonThatNobodyAnswers(FreePorts.find(1)[0]);
    }

    @Test
    void saysSoonThatAListenerIsSilent() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertSaysSoonThatNobodyAnswers(socket.getLocalPort());
        }
    }

    @Test
    void saysThatAHostIsUnknown() {
        // How soon is up to the machine's name servers.
        assertDoesNotAnswer("no-such-host.invalid:9092");
    }

    @Test
    void warnsOfCompactionThatRemovesRecordsOfAStream() throws IOException {
        broker.createTopic("compact", 1, Map.of("cleanup.policy", "compact"));
        broker.createTopic("both", 1, Map.of("cleanup.policy", "compact,delete"));
        Configuration options = options(broker.bootstrapServers());
        options.set(KafkaOptions.SINK_TOPIC, "compact");
        options.set(KafkaOptions.LATE_TOPIC, "both");

        check(options);

        assertThat(warnings)
                .containsExactlyInAnyOrder(
                        "the topic compact (moe.sink.topic) has cleanup.policy=compact, so Kafka"
                                + " keeps only the last record of each stream; set"
                                + " cleanup.policy=delete to keep all records",
                        "the topic both (moe.late.topic) has cleanup.policy=compact,delete, so"
                                + " Kafka keeps only the last record of each stream; set"
                                + " cleanup.policy=delete to keep all records");
    }

    @Test
    void refusesTopicsThatDoNotTakeWhatTheJobWrites() throws IOException {
        broker.createTopic("small", 1, Map.of("max.message.bytes", "9999"));
        broker.createTopic("unsafe", 2, Map.of("min.insync.replicas", "2"));
        Configuration options = options(broker.bootstrapServers());
        options.set(KafkaOptions.SINK_TOPIC, "small");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, "unsafe");
        largest.put(KafkaOptions.SINK_TOPIC, 10_000L);

        assertThatThrownBy(() -> check(options))
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "Kafka at %s: the topic small (moe.sink.topic) has"
                                + " max.message.bytes=9999, but the job can write messages of 10000"
                                + " bytes; raise it; the topic unsafe (moe.dead-letter.topic) has"
                                + " min.insync.replicas=2 but a partition with 1 replicas, which"
                                + " accepts no writes; lower it or add replicas",
                        broker.bootstrapServers());
    }

    @Test
    void findsHowLargeADeadLetterMayBe() throws IOException {
        broker.createTopic("letters", 1, Map.of("max.message.bytes", "40000"));
        Configuration options = options(broker.bootstrapServers());
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, "letters");

        assertThat(check(options).maxLetterBytes()).isEqualTo(40_000);
    }

    /** Describing a topic's configuration is a right of its own. */
    @Test
    void warnsOfTopicsWhoseConfigurationItMayNotSee() throws Exception {
        int port = FreePorts.find(1)[0];
        String login =
                "org.apache.kafka.common.security.plain.PlainLoginModule required"
                        + " username=\"moe\" password=\"p\" user_moe=\"p\";";
        Map<String, String> settings =
                Map.of(
                        "listener.security.protocol.map",
                        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_PLAINTEXT",
                        "listener.name.secure.sasl.enabled.mechanisms",
                        "PLAIN",
                        "listener.name.secure.plain.sasl.jaas.config",
                        login,
                        "authorizer.class.name",
                        "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                        "super.users",
                        "User:ANONYMOUS");
        try (KafkaBroker strict =
                KafkaBroker.start(dir.resolve("strict"), ",SECURE://127.0.0.1:" + port, settings)) {
            for (String topic : List.of("in", "out", "dead")) {
                strict.createTopic(topic, 1, Map.of());
            }
            allow(strict, AclOperation.DESCRIBE);
            Configuration options = options("127.0.0.1:" + port);
            options.set(
                    KafkaOptions.PROPERTIES,
                    Map.of(
                            "security.protocol",
                            "SASL_PLAINTEXT",
                            "sasl.mechanism",
                            "PLAIN",
                            "sasl.jaas.config",
                            login));

            assertThat(check(options).maxLetterBytes()).isEqualTo(Integer.MAX_VALUE);

            assertThat(warnings)
                    .containsExactlyInAnyOrder(
                            "the configuration of the topic out (moe.sink.topic) cannot be checked"
                                    + " (Topic authorization failed.); grant DESCRIBE_CONFIGS on"
                                    + " the topic",
                            "the configuration of the topic dead (moe.dead-letter.topic) cannot be"
                                    + " checked (Topic authorization failed.); grant"
                                    + " DESCRIBE_CONFIGS on the topic");
            warnings.clear();
            allow(strict, AclOperation.DESCRIBE_CONFIGS);
            check(options);
            assertThat(warnings).isEmpty();
        }
    }

    private static void allow(KafkaBroker strict, AclOperation operation) throws Exception {
        try (Admin admin =
                Admin.create(
                        Map.<String, Object>of("bootstrap.servers", strict.bootstrapServers()))) {
            admin.createAcls(
                            List.of(
                                    new AclBinding(
                                            new ResourcePattern(
                                                    ResourceType.TOPIC, "*", PatternType.LITERAL),
                                            new AccessControlEntry(
                                                    "User:moe",
                                                    "*",
                                                    operation,
                                                    AclPermissionType.ALLOW))))
                    .all()
                    .get();
        }
    }

    private KafkaPreflight.Topics check(Configuration options) throws IOException {
        return KafkaPreflight.check(options, largest, warnings::add);
    }

    private void assertSaysSoonThatNobodyAnswers(int port) {
        long start = System.nanoTime();
        assertDoesNotAnswer("127.0.0.1:" + port);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
    }

    private void assertDoesNotAnswer(String brokers) {
        Configuration options = options(brokers);

        assertThatThrownBy(() -> check(options))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("the Kafka brokers " + brokers + " do not respond")
                .hasMessageContaining("check moe.kafka.brokers");
    }

    private static Configuration options(String brokers) {
        Configuration options = new Configuration();
        options.set(KafkaOptions.BROKERS, brokers);
        options.set(KafkaOptions.SOURCE_TOPIC, "in");
        options.set(KafkaOptions.SINK_TOPIC, "out");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, "dead");
        return options;
    }
}
