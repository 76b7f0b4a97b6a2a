// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.tools.bench.contenders.Pool;
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

    private static final long LONGEST_PAUSE_NANOS = 1_000_000;

    private final Target target;
    private final float[][] pool;
    private final LongUnaryOperator dueTimes;
    private final AtomicReference<Exception> failure = new AtomicReference<>();
    private final Thread thread = new Thread(this::send, "bench-producer");
    private volatile boolean closed;

    /** A topic of a broker. */
    record Target(String brokers, String topic) {}

    /**
     * @param dueTimes the {@link System#nanoTime} at which a token is due, by its number
     */
    private KafkaLoad(Target target, int d, LongUnaryOperator dueTimes) {
        this.target = target;
        this.pool = Pool.of(d, 0);
        this.dueTimes = dueTimes;
        thread.start();
    }

    /** Sends at a steady rate. */
    static KafkaLoad steady(Target target, int d, double tokensPerSecond) {
        long start = System.nanoTime();
        return new KafkaLoad(target, d, i -> start + (long) (i * 1e9 / tokensPerSecond));
    }

    /** Sends as fast as answers come, so that a number of tokens has no answer yet. */
    static KafkaLoad ahead(Target target, int d, long tokens, AnswerReader answers) {
        long before = answers.count();
        return new KafkaLoad(
                target,
                d,
                i -> {
                    boolean isDue = i - (answers.count() - before) < tokens;
                    return System.nanoTime() + (isDue ? 0 : LONGEST_PAUSE_NANOS);
                });
    }

    private void send() {
        TokenEncoder encoder = TokenEncoder.singleObject();
        Map<String, Object> properties =
                Map.of(
                        "bootstrap.servers",
                        target.brokers(),
                        "receive.buffer.bytes",
                        -1,
                        "linger.ms",
                        1,
                        "batch.size",
                        1 << 16);
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(
                        properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            long next = 0;
            while (!closed) {
                long due = dueTimes.applyAsLong(next);
                long wait = due - System.nanoTime();
                if (wait > 0) {
                    LockSupport.parkNanos(Math.min(wait, LONGEST_PAUSE_NANOS));
                    continue;
                }
                String stream = "stream-" + next % KafkaPart.STREAMS;
                float[] vector = pool[(int) (next++ % pool.length)];
                byte[] value =
                        encoder.encode(stream, due / 1000, System.currentTimeMillis(), vector);
                producer.send(
                        new ProducerRecord<>(
                                target.topic(), stream.getBytes(StandardCharsets.UTF_8), value),
                        (metadata, exception) -> failure.compareAndSet(null, exception));
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
