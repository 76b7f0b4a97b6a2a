// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.tools.kafka.TopicReader;
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
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerConfig;

/**
 * The answers that a job has committed to a topic.
 *
 * @param byStream the answers of each stream, in the order of its partition
 * @param open the number of records that read_committed readers do not see, because a transaction
 *     is still open
 */
@Internal
record DrillAnswers(Map<String, List<ScoredToken>> byStream, long open) {

    /** Kafka reports the end of a transaction slightly before its records become readable. */
    private static final Duration MAX_DELAY = Duration.ofSeconds(10);

    /** Reads all committed answers, after the job has ended. */
    static DrillAnswers read(String brokers, String topic) throws IOException {
        Map<String, List<ScoredToken>> byStream = new HashMap<>();
        forEach(
                brokers,
                topic,
                answer ->
                        byStream.computeIfAbsent(answer.getStream(), s -> new ArrayList<>())
                                .add(answer));
        return new DrillAnswers(byStream, TopicReader.open(client(brokers), topic));
    }

    /** Passes each committed answer to an action, after the job has ended. */
    static void forEach(String brokers, String topic, Consumer<ScoredToken> action)
            throws IOException {
        BinaryMessageDecoder<ScoredToken> decoder = ScoredToken.getDecoder();
        forEachRecord(brokers, topic, record -> action.accept(decoder.decode(record.value())));
    }

    /** The broker's timestamps of all committed answers, in milliseconds, ascending. */
    static long[] times(String brokers, String topic) throws IOException {
        LongStream.Builder times = LongStream.builder();
        forEachRecord(brokers, topic, record -> times.add(record.timestamp()));
        return times.build().sorted().toArray();
    }

    /** Passes each committed record to an action, after the job has ended. */
    static void forEachRecord(String brokers, String topic, TopicReader.Action action)
            throws IOException {
        Properties client = client(brokers);
        long deadline = System.nanoTime() + MAX_DELAY.toNanos();
        while (TopicReader.open(client, topic) > 0 && System.nanoTime() < deadline) {
            // No pause is necessary: each check opens a new connection.
        }
        TopicReader.forEach(client, topic, action, (records, all) -> {});
    }

    /** The number of records in a topic, committed or not. */
    static long end(String brokers, String topic) {
        return TopicReader.end(client(brokers), topic);
    }

    private static Properties client(String brokers) {
        Properties client = new Properties();
        client.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        return client;
    }
}
