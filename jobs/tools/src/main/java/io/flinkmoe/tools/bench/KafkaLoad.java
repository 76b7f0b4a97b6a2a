// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.tools.bench.contenders.Pool;
import io.flinkmoe.tools.kafka.KafkaBroker;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongUnaryOperator;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends tokens until it is closed. The position of a token is the microsecond at which it was due.
 */
@Internal
final class KafkaLoad implements AutoCloseable {

    /** A thread that woke up for each token would keep a core busy. */
    private static final long PAUSE_NANOS = 500_000;

    private final Target target;
    private final float[][] pool;
    private final AtomicReference<Exception> failure = new AtomicReference<>();
    private final Thread thread = new Thread(this::send, "bench-producer");

    /** The {@link System#nanoTime} at which a token is due, by its number. */
    private volatile LongUnaryOperator dueTimes;

    private volatile long sent;
    private volatile boolean closed;

    /** A topic of a broker. */
    record Target(String brokers, String topic) {}

    private KafkaLoad(Target target, int d, LongUnaryOperator dueTimes) {
        this.target = target;
        this.pool = Pool.of(d, 0);
        this.dueTimes = dueTimes;
        thread.start();
    }

    /** Sends as fast as answers come, so that a number of tokens has no answer yet. */
    static KafkaLoad ahead(Target target, int d, long tokens, AnswerReader answers) {
        long before = answers.count();
        return new KafkaLoad(
                target,
                d,
                i -> {
                    boolean isDue = i - (answers.count() - before) < tokens;
                    return System.nanoTime() + (isDue ? 0 : PAUSE_NANOS);
                });
    }

    /** From now on, sends at a steady rate. */
    void steady(double tokensPerSecond) {
        long start = System.nanoTime();
        long first = sent;
        dueTimes = i -> start + (long) ((i - first) * 1e9 / tokensPerSecond);
    }

    private void send() {
        TokenEncoder encoder = TokenEncoder.singleObject();
        Map<String, Object> properties =
                Map.of(
                        "bootstrap.servers",
                        target.brokers(),
                        "receive.buffer.bytes",
                        KafkaBroker.RECEIVE_BUFFER_BYTES,
                        "linger.ms",
                        1,
                        "batch.size",
                        1 << 16);
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(
                        properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            while (!closed) {
                long next = sent;
                long due = dueTimes.applyAsLong(next);
                if (due > System.nanoTime()) {
                    LockSupport.parkNanos(PAUSE_NANOS);
                    continue;
                }
                String stream = "stream-" + next % KafkaPart.STREAMS;
                float[] vector = pool[(int) (next % pool.length)];
                byte[] value =
                        encoder.encode(stream, due / 1000, System.currentTimeMillis(), vector);
                producer.send(
                        new ProducerRecord<>(
                                target.topic(), stream.getBytes(StandardCharsets.UTF_8), value),
                        (metadata, exception) -> failure.compareAndSet(null, exception));
                sent = next + 1;
            }
        }
    }

    void requireAlive() throws Exception {
        if (failure.get() != null) {
            throw failure.get();
        }
    }

    /** Ends sending. */
    @Override
    public void close() {
        closed = true;
        await(thread);
    }

    /** Waits for the end of a thread. */
    static void await(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
