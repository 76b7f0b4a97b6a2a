// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KafkaBrokerIT {

    @TempDir Path dir;

    @Test
    void showsCommittedTransactionsOnlyAndIsGoneAfterClose() throws Exception {
        int port;
        try (KafkaBroker broker = KafkaBroker.start(dir)) {
            port = Integer.parseInt(broker.bootstrapServers().split(":")[1]);
            broker.createTopic("events", 3, Map.of());
            produce(broker, "aborted", false);
            produce(broker, "committed", true);

            assertThat(TestTopics.readCommitted(broker.bootstrapServers(), "events"))
                    .extracting(record -> new String(record.value(), UTF_8))
                    .containsExactly("committed");
            assertThatThrownBy(() -> broker.createTopic("events", 3, Map.of()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("cannot create the topic events")
                    .hasMessageContaining("already exists");
        }
        assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), port).close())
                .isInstanceOf(IOException.class);
        assertThat(dir.resolve("broker.log")).isNotEmptyFile();
    }

    @Test
    void saysWhyNoProcessStarted() throws IOException {
        Files.createDirectory(dir.resolve("broker.log"));

        assertThatThrownBy(() -> KafkaBroker.start(dir))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("broker.log");
    }

    @Test
    @Tag("slow")
    void comesBackWithItsDataAfterAKill() throws Exception {
        try (KafkaBroker broker = KafkaBroker.start(dir)) {
            broker.createTopic("events", 3, Map.of());
            produce(broker, "before", true);

            broker.kill();
            broker.restart();
            produce(broker, "after", true);

            assertThat(TestTopics.readCommitted(broker.bootstrapServers(), "events"))
                    .extracting(record -> new String(record.value(), UTF_8))
                    .containsExactlyInAnyOrder("before", "after");
        }
    }

    @Test
    void saysWhyItCannotUseADirectory() throws IOException {
        Files.createFile(dir.resolve("data"));

        assertThatThrownBy(() -> KafkaBroker.start(dir))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot prepare " + dir)
                .hasMessageContaining("use an empty directory");
    }

    @Test
    @Tag("slow")
    void endsWithAProcessThatIsKilled() throws Exception {
        Process parent =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                StartsABroker.class.getName(),
                                dir.toString())
                        .redirectError(dir.resolve("parent.log").toFile())
                        .start();
        String brokers = parent.inputReader().readLine();
        assertThat(brokers).as(Files.readString(dir.resolve("parent.log"))).isNotNull();
        List<ProcessHandle> children = parent.children().toList();
        assertThat(children).hasSize(1);

        parent.destroyForcibly();

        children.get(0).onExit().get(30, TimeUnit.SECONDS);
    }

    /** Starts a broker, says where it is, and waits to be killed. */
    static final class StartsABroker {

        private StartsABroker() {}

        public static void main(String[] args) throws Exception {
            try (KafkaBroker broker = KafkaBroker.start(Path.of(args[0], "kafka"))) {
                System.out.println(broker.bootstrapServers());
                Thread.sleep(120_000);
            }
        }
    }

    private static void produce(KafkaBroker broker, String value, boolean commit) {
        Map<String, Object> config =
                Map.of("bootstrap.servers", broker.bootstrapServers(), "transactional.id", "test");
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("events", value));
            producer.flush();
            if (commit) {
                producer.commitTransaction();
            } else {
                producer.abortTransaction();
            }
        }
    }
}
