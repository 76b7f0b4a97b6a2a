package io.flinkmoe.jobs.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KafkaBrokerIT {

    @TempDir Path dir;

    @Test
    void showsCommittedTransactionsOnlyAndIsGoneAfterClose() throws Exception {
        int port;
        try (KafkaBroker broker = KafkaBroker.start(dir)) {
            port = Integer.parseInt(broker.bootstrapServers().split(":")[1]);
            broker.createTopic("events", 3);
            produce(broker, "aborted", false);
            produce(broker, "committed", true);

            assertThat(read(broker, "events", 3)).containsExactly("committed");
            assertThatThrownBy(() -> broker.createTopic("events", 3))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("cannot make the topic events")
                    .hasMessageContaining("already exists");
        }
        assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), port).close())
                .isInstanceOf(IOException.class);
        assertThat(dir.resolve("broker.log")).isNotEmptyFile();
    }

    @Test
    void saysWhyItCannotUseADirectory() throws IOException {
        Path file = Files.createFile(dir.resolve("data"));

        assertThatThrownBy(() -> KafkaBroker.start(dir))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(file.toString());
    }

    private static void produce(KafkaBroker broker, String value, boolean commit) {
        Map<String, Object> config =
                Map.of(
                        "bootstrap.servers",
                        broker.bootstrapServers(),
                        "transactional.id",
                        "test",
                        "key.serializer",
                        StringSerializer.class,
                        "value.serializer",
                        StringSerializer.class);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config)) {
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

    /** What a read_committed consumer finds, up to the end of each partition. */
    private static List<String> read(KafkaBroker broker, String topic, int partitions) {
        Map<String, Object> config =
                Map.of(
                        "bootstrap.servers",
                        broker.bootstrapServers(),
                        "isolation.level",
                        "read_committed",
                        "auto.offset.reset",
                        "earliest",
                        "key.deserializer",
                        StringDeserializer.class,
                        "value.deserializer",
                        StringDeserializer.class);
        List<TopicPartition> all = new ArrayList<>();
        for (int i = 0; i < partitions; i++) {
            all.add(new TopicPartition(topic, i));
        }
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(config)) {
            consumer.assign(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (ends.entrySet().stream()
                    .anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
                assertThat(System.nanoTime()).isLessThan(deadline);
                consumer.poll(Duration.ofMillis(100)).forEach(record -> values.add(record.value()));
            }
        }
        return values;
    }
}
