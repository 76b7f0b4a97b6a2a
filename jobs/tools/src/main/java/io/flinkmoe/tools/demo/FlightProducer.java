// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.api.Token;
import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.kafka.TokenSerializer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends tokens to Kafka in order, keyed by stream, while the job reads them. It first sends one
 * token alone. When its answer has arrived, the job is running, and the figures do not include its
 * start.
 */
@Internal
public final class FlightProducer extends Thread {

    private final String brokers;
    private final String topic;
    private final List<Token> tokens;
    private final int rate;
    private final DemoResults results;
    private final CountDownLatch jobRuns = new CountDownLatch(1);
    private final AtomicInteger produced = new AtomicInteger();
    private volatile Exception failure;

    /**
     * @param rate tokens per second; 0: as fast as Kafka accepts them
     */
    public FlightProducer(
            String brokers, String topic, List<Token> tokens, int rate, DemoResults results) {
        super("flight-producer");
        setDaemon(true);
        this.brokers = brokers;
        this.topic = topic;
        this.tokens = tokens;
        this.rate = rate;
        this.results = results;
    }

    /** Lets the producer continue after the first token, which waits for the start of the job. */
    public void jobRuns() {
        jobRuns.countDown();
    }

    /** The number of tokens that Kafka has acknowledged. */
    int produced() {
        return produced.get();
    }

    /** Why sending failed, or null. */
    public Exception failure() {
        return failure;
    }

    @Override
    public void run() {
        TokenSerializer serializer = new TokenSerializer(topic, RecordFormat.TOKEN);
        serializer.open(null, null); // It uses neither.
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            send(producer, 0, serializer);
            jobRuns.await();
            long start = System.nanoTime();
            for (int i = 1; i < tokens.size() && failure == null; i++) {
                if (rate > 0) {
                    long due = start + i * 1_000_000_000L / rate;
                    LockSupport.parkNanos(Math.max(0, due - System.nanoTime()));
                }
                send(producer, i, serializer);
            }
        } catch (InterruptedException | RuntimeException e) {
            failure = e;
        }
    }

    private void send(
            KafkaProducer<byte[], byte[]> producer, int position, TokenSerializer serializer) {
        producer.send(
                serializer.serialize(tokens.get(position), null, null),
                (metadata, exception) -> {
                    if (exception == null) {
                        results.produced(position, metadata.timestamp());
                        produced.incrementAndGet();
                    } else {
                        failure = exception;
                    }
                });
    }

    private KafkaProducer<byte[], byte[]> producer() {
        return new KafkaProducer<>(
                Map.of(
                        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        brokers,
                        ProducerConfig.LINGER_MS_CONFIG,
                        5),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }
}
