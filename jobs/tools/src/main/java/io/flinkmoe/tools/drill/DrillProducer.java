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
 * Sends flights to Kafka at a steady rate, each stream to a partition of its own choice, until it
 * is told to end. It outlasts a broker that is killed and comes back: sending is idempotent and
 * keeps the order.
 */
@Internal
final class DrillProducer extends Thread {

    private static final Duration LONGEST_OUTAGE = Duration.ofMinutes(5);

    private final DrillTopic topic;
    private final DrillStream stream;
    private final Pace pace;
    private final Consumer<Token> sending;
    private volatile boolean ending;
    private volatile Exception failure;

    /**
     * @param sending is told of each token before it is sent, and may hold it up
     */
    DrillProducer(DrillTopic topic, DrillStream stream, Pace pace, Consumer<Token> sending) {
        super("drill-producer");
        setDaemon(true);
        this.topic = topic;
        this.stream = stream;
        this.pace = pace;
        this.sending = sending;
    }

    @Override
    public void run() {
        TokenEncoder encoder = TokenEncoder.singleObject();
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            long start = System.nanoTime();
            for (long i = 0; i < pace.limit() && !ending && failure == null; i++) {
                if (pace.rate() > 0) {
                    long due = start + i * 1_000_000_000L / pace.rate();
                    LockSupport.parkNanos(Math.max(0, due - System.nanoTime()));
                }
                Token token = stream.next();
                sending.accept(token);
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

    /** Sends no more. */
    void finish() {
        ending = true;
    }

    /**
     * Waits for the end: every token that was sent is in Kafka.
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
        int patience = (int) LONGEST_OUTAGE.toMillis();
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
                        patience,
                        ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
                        patience),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }
}
