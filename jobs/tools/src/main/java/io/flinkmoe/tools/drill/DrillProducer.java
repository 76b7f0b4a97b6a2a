// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import io.flinkmoe.schemas.TokenEncoder;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends flights to Kafka at a steady rate until {@link #finish} is called. All tokens of a stream
 * go to one partition. It survives a broker that is killed and restarted: sending is idempotent and
 * keeps the order.
 */
@Internal
final class DrillProducer extends Thread {

    /** The topic that flights are sent to. */
    record Topic(String brokers, String name, int partitions) {

        /** The partition of all tokens of a stream. */
        int partitionOf(String stream) {
            return Math.floorMod(stream.hashCode(), partitions);
        }
    }

    private static final Duration LONGEST_OUTAGE = Duration.ofMinutes(5);

    private final Topic topic;
    private final DrillStream stream;
    private final SendRate sendRate;
    private final Consumer<Token> beforeSend;
    private volatile boolean ending;
    private volatile Exception failure;

    /**
     * @param beforeSend called with each token before it is sent; may block
     */
    DrillProducer(Topic topic, DrillStream stream, SendRate sendRate, Consumer<Token> beforeSend) {
        super("drill-producer");
        setDaemon(true);
        this.topic = topic;
        this.stream = stream;
        this.sendRate = sendRate;
        this.beforeSend = beforeSend;
    }

    @Override
    public void run() {
        TokenEncoder encoder = TokenEncoder.singleObject();
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            long start = System.nanoTime();
            for (long i = 0; i < sendRate.limit() && !ending && failure == null; i++) {
                if (sendRate.rate() > 0) {
                    long due = start + i * 1_000_000_000L / sendRate.rate();
                    LockSupport.parkNanos(Math.max(0, due - System.nanoTime()));
                }
                Token token = stream.next();
                beforeSend.accept(token);
                producer.send(
                        new ProducerRecord<>(
                                topic.name(),
                                topic.partitionOf(token.stream()),
                                null,
                                encoder.encode(
                                        token.stream(),
                                        token.position(),
                                        token.timestamp(),
                                        token.values())),
                        (metadata, exception) -> {
                            if (exception != null) {
                                failure = exception;
                            }
                        });
            }
        } catch (RuntimeException e) {
            failure = e;
        }
    }

    /** Stops sending. */
    void finish() {
        ending = true;
    }

    /**
     * Waits until every token that was sent is in Kafka.
     *
     * @throws IOException if sending has failed
     */
    void await() throws IOException, InterruptedException {
        join();
        check();
    }

    /**
     * @throws IOException if sending has failed
     */
    void check() throws IOException {
        if (failure != null) {
            throw new IOException(
                    "The flights could not be sent: " + failure.getMessage(), failure);
        }
    }

    private KafkaProducer<byte[], byte[]> producer() {
        int timeout = (int) LONGEST_OUTAGE.toMillis();
        return new KafkaProducer<>(
                Map.of(
                        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        topic.brokers(),
                        ProducerConfig.LINGER_MS_CONFIG,
                        5,
                        ProducerConfig.COMPRESSION_TYPE_CONFIG,
                        "lz4",
                        ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
                        true,
                        ProducerConfig.MAX_BLOCK_MS_CONFIG,
                        timeout,
                        ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
                        timeout),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }
}
