package io.flinkmoe.jobs;

import io.flinkmoe.jobs.kafka.TopicReader;
import io.flinkmoe.schemas.ScoredToken;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.kafka.clients.consumer.ConsumerConfig;

/**
 * What a job has committed to a topic.
 *
 * @param byStream the answers of each stream, in the order of its partition
 * @param open records behind a transaction that nobody has ended: no reader sees them
 */
record DrillAnswers(Map<String, List<ScoredToken>> byStream, long open) {

    /** Kafka says that a transaction has ended a moment before its records show. */
    private static final Duration MOMENT = Duration.ofSeconds(10);

    /** Reads all that is committed once the job has ended. */
    static DrillAnswers read(String brokers, String topic) throws IOException {
        long deadline = System.nanoTime() + MOMENT.toNanos();
        DrillAnswers answers = readNow(brokers, topic);
        while (answers.open() > 0 && System.nanoTime() < deadline) {
            answers = readNow(brokers, topic);
        }
        return answers;
    }

    private static DrillAnswers readNow(String brokers, String topic) throws IOException {
        Map<String, List<ScoredToken>> byStream = new HashMap<>();
        long end =
                forEach(
                        brokers,
                        topic,
                        answer ->
                                byStream.computeIfAbsent(answer.getStream(), s -> new ArrayList<>())
                                        .add(answer));
        return new DrillAnswers(byStream, end(brokers, topic) - end);
    }

    /**
     * Takes the answers that are committed now one by one.
     *
     * @return where they end, summed over the partitions
     */
    static long forEach(String brokers, String topic, Consumer<ScoredToken> action)
            throws IOException {
        BinaryMessageDecoder<ScoredToken> decoder = ScoredToken.getDecoder();
        return forEachRecord(
                brokers, topic, record -> action.accept(decoder.decode(record.value())));
    }

    /** When the broker got each answer that is committed now, in milliseconds and in order. */
    static long[] times(String brokers, String topic) throws IOException {
        LongStream.Builder times = LongStream.builder();
        forEachRecord(brokers, topic, record -> times.add(record.timestamp()));
        return times.build().sorted().toArray();
    }

    private static long forEachRecord(String brokers, String topic, TopicReader.Action action)
            throws IOException {
        return TopicReader.forEach(client(brokers), topic, action, (records, all) -> {});
    }

    /** Records in a topic, committed or not. */
    static long end(String brokers, String topic) {
        return TopicReader.end(client(brokers), topic);
    }

    private static Properties client(String brokers) {
        Properties client = new Properties();
        client.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        return client;
    }
}
