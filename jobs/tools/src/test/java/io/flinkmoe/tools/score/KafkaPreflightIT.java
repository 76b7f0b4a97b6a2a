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
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KafkaPreflightIT {

    @TempDir static Path dir;

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
        assertThat(KafkaPreflight.check(options(broker.bootstrapServers()))).isEqualTo(3);
    }

    @Test
    void namesEveryMissingTopic() {
        Configuration options = options(broker.bootstrapServers());
        options.set(KafkaOptions.SOURCE_TOPIC, "nobody-made-this");
        options.set(KafkaOptions.DEAD_LETTER_TOPIC, "nor-this");

        assertThatThrownBy(() -> KafkaPreflight.check(options))
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

        assertThatThrownBy(() -> KafkaPreflight.check(options))
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

    private static void assertSaysSoonThatNobodyAnswers(int port) {
        long start = System.nanoTime();
        assertDoesNotAnswer("127.0.0.1:" + port);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
    }

    private static void assertDoesNotAnswer(String brokers) {
        Configuration options = options(brokers);

        assertThatThrownBy(() -> KafkaPreflight.check(options))
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
