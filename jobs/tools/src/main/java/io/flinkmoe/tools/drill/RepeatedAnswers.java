// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.schemas.ScoredToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * The answers of a job with idempotent delivery, as a reader has them that keeps the first record
 * of each key. Records that come again must be the same in value and headers. A record must have
 * the key of its token, and all records of a stream must be in one partition.
 */
@Internal
final class RepeatedAnswers {

    private static final BinaryMessageDecoder<ScoredToken> DECODER = ScoredToken.getDecoder();

    private final ToIntFunction<String> sourcePartition;
    private final List<ZombieTime> zombies;
    private final Map<String, ConsumerRecord<byte[], byte[]>> byKey = new HashMap<>();
    private final Map<String, Integer> partitionOf = new HashMap<>();
    private final Map<String, List<ScoredToken>> byStream = new HashMap<>();
    private final Map<Difference, Long> counts = new EnumMap<>(Difference.class);

    /**
     * The time in which a process wrote that had been replaced, by the broker's clock.
     *
     * @param from the first millisecond
     * @param to the last one
     */
    record ZombieTime(long from, long to) {
        private boolean contains(long time) {
            return from <= time && time <= to;
        }
    }

    /**
     * @param sourcePartition returns the partition that the tokens of a stream were read from
     * @param zombies in which nothing but replaced processes writes records again
     */
    RepeatedAnswers(ToIntFunction<String> sourcePartition, List<ZombieTime> zombies) {
        this.sourcePartition = sourcePartition;
        this.zombies = zombies;
        for (Difference kind :
                new Difference[] {
                    Difference.REPEATED,
                    Difference.BY_ZOMBIES,
                    Difference.CHANGED,
                    Difference.MISPLACED
                }) {
            counts.put(kind, 0L);
        }
    }

    /** Adds a record of the topic. Those of a partition come in their order. */
    void add(ConsumerRecord<byte[], byte[]> record) throws IOException {
        String key = new String(record.key(), StandardCharsets.UTF_8);
        ConsumerRecord<byte[], byte[]> first = byKey.putIfAbsent(key, record);
        if (first != null) {
            boolean isSame =
                    Arrays.equals(first.value(), record.value())
                            && first.headers().equals(record.headers());
            count(isSame ? Difference.REPEATED : Difference.CHANGED);
            if (zombies.stream().anyMatch(time -> time.contains(record.timestamp()))) {
                count(Difference.BY_ZOMBIES);
            }
            return;
        }
        ScoredToken answer = DECODER.decode(record.value());
        String stream = answer.getStream();
        String expected =
                "%s/%d/%d"
                        .formatted(
                                stream, sourcePartition.applyAsInt(stream), answer.getPosition());
        int partition = partitionOf.computeIfAbsent(stream, s -> record.partition());
        if (!key.equals(expected) || partition != record.partition()) {
            count(Difference.MISPLACED);
        }
        byStream.computeIfAbsent(stream, s -> new ArrayList<>()).add(answer);
    }

    private void count(Difference kind) {
        counts.merge(kind, 1L, Long::sum);
    }

    /** The first answers. */
    DrillAnswers first() {
        return new DrillAnswers(byStream, 0);
    }

    /** What else is in the topic. */
    Map<Difference, Long> counts() {
        return counts;
    }
}
