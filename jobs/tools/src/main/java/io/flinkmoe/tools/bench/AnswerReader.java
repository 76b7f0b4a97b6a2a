// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.kafka.KafkaBroker;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads the answers to a {@link KafkaLoad} as they become visible. */
@Internal
final class AnswerReader implements AutoCloseable {

    /** Of Avro's single-object encoding. */
    private static final int HEADER_BYTES = 10;

    private static final Duration POLL = Duration.ofMillis(10);

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final AtomicLong count = new AtomicLong();
    private final Histogram micros = new ConcurrentHistogram(3);
    private final AtomicReference<Exception> failure = new AtomicReference<>();
    private final Thread thread = new Thread(this::read, "bench-reader");
    private BinaryDecoder decoder;
    private volatile boolean records;
    private volatile boolean closed;

    private AnswerReader(KafkaConsumer<byte[], byte[]> consumer) {
        this.consumer = consumer;
    }

    /** Starts to read what is written to a topic from now on. */
    static AnswerReader start(String brokers, String topic) {
        KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(
                        Map.of(
                                "bootstrap.servers",
                                brokers,
                                "receive.buffer.bytes",
                                KafkaBroker.RECEIVE_BUFFER_BYTES),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer());
        List<TopicPartition> partitions =
                consumer.partitionsFor(topic).stream()
                        .map(info -> new TopicPartition(topic, info.partition()))
                        .toList();
        consumer.assign(partitions);
        consumer.seekToEnd(partitions);
        partitions.forEach(consumer::position); // The end of this moment.
        AnswerReader reader = new AnswerReader(consumer);
        reader.thread.start();
        return reader;
    }

    /** The number of answers so far. */
    long count() {
        return count.get();
    }

    /** Returns how many microseconds after they were due tokens are answered in some time. */
    Histogram latencies(Duration time) throws Exception {
        micros.reset();
        records = true;
        Thread.sleep(time.toMillis());
        records = false;
        requireAlive();
        if (micros.getTotalCount() == 0) {
            throw new IllegalStateException("no answer became visible in " + time);
        }
        return micros.copy();
    }

    /** Returns the number of answers per second in some time. */
    double rate(Duration time) throws Exception {
        long start = System.nanoTime();
        long before = count();
        Thread.sleep(time.toMillis());
        requireAlive();
        return (count() - before) * 1e9 / (System.nanoTime() - start);
    }

    private void requireAlive() throws Exception {
        if (failure.get() != null) {
            throw failure.get();
        }
    }

    private void read() {
        try {
            while (!closed) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    count.incrementAndGet();
                    if (records) {
                        long late = System.nanoTime() / 1000 - position(record.value());
                        micros.recordValue(Math.max(0, late));
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            failure.set(e);
        }
    }

    /** The second field of an answer. */
    private long position(byte[] answer) throws IOException {
        int length = answer.length - HEADER_BYTES;
        decoder = DecoderFactory.get().binaryDecoder(answer, HEADER_BYTES, length, decoder);
        decoder.skipString();
        return decoder.readLong();
    }

    @Override
    public void close() {
        closed = true;
        KafkaLoad.await(thread);
        consumer.close();
    }
}
