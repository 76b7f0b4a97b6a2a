package io.flinkmoe.jobs;

import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.stream.Token;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends flights to Kafka at a steady rate, each stream to a partition of its own choice, until it
 * is told to end. It outlasts a broker that is killed and comes back: sending is idempotent and
 * keeps the order.
 */
final class DrillProducer extends Thread {

    private static final Duration LONGEST_OUTAGE = Duration.ofMinutes(5);

    private final String brokers;
    private final String topic;
    private final int partitions;
    private final DrillStream stream;
    private final int rate;
    private final long limit;
    private final List<Token> sent = new ArrayList<>();
    private volatile boolean ending;
    private volatile Exception failure;

    /**
     * @param rate tokens per second; 0: as fast as Kafka takes them
     * @param limit tokens to send at most
     */
    DrillProducer(
            String brokers,
            String topic,
            int partitions,
            DrillStream stream,
            int rate,
            long limit) {
        super("drill-producer");
        setDaemon(true);
        this.brokers = brokers;
        this.topic = topic;
        this.partitions = partitions;
        this.stream = stream;
        this.rate = rate;
        this.limit = limit;
    }

    @Override
    public void run() {
        TokenEncoder encoder = TokenEncoder.singleObject();
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            long start = System.nanoTime();
            for (long i = 0; i < limit && !ending && failure == null; i++) {
                if (rate > 0) {
                    long due = start + i * 1_000_000_000L / rate;
                    LockSupport.parkNanos(Math.max(0, due - System.nanoTime()));
                }
                Token token = stream.next();
                sent.add(token);
                producer.send(
                        new ProducerRecord<>(
                                topic,
                                Math.floorMod(token.stream().hashCode(), partitions),
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

    /**
     * Ends sending, or waits for the end if there is a limit.
     *
     * @return all tokens in the order in which they were sent, every one of them in Kafka
     */
    List<Token> end(boolean now) throws IOException, InterruptedException {
        ending = now;
        join();
        check();
        return sent;
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
                        brokers,
                        ProducerConfig.LINGER_MS_CONFIG,
                        5,
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
