// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import static org.apache.kafka.common.IsolationLevel.READ_COMMITTED;
import static org.apache.kafka.common.IsolationLevel.READ_UNCOMMITTED;

import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds partitions whose records wait for the end of an open transaction. A consumer with
 * read_committed sees nothing behind it. A producer that died leaves one until the broker aborts
 * it.
 */
@Internal
final class OpenTransactions implements SourceWatch {

    private static final Logger LOG = LoggerFactory.getLogger(OpenTransactions.class);

    /** A transaction that stops a partition for this time is named. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final Duration PERIOD = Duration.ofSeconds(5);
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    private final String topic;
    private final boolean readsCommitted;
    private final Admin admin;
    private final LongSupplier clock;
    private final Map<TopicPartition, Blocked> blocked = new HashMap<>();
    private List<String> found = List.of();
    private long lookedAt;
    private boolean looked;
    private volatile long waiting;

    /** A partition that has had the same last stable offset since a time. */
    private record Blocked(long stableOffset, long since) {}

    /**
     * @param properties the properties of the consumer
     * @param clock the time in milliseconds
     */
    OpenTransactions(String topic, Properties properties, LongSupplier clock) {
        this.topic = topic;
        this.readsCommitted =
                "read_committed"
                        .equals(properties.getProperty(ConsumerConfig.ISOLATION_LEVEL_CONFIG));
        this.admin = Admin.create(properties);
        this.clock = clock;
    }

    @Override
    public List<String> look() {
        long now = clock.getAsLong();
        if (!readsCommitted) {
            return List.of();
        }
        if (looked && now - lookedAt < PERIOD.toMillis()) {
            return found;
        }
        looked = true;
        lookedAt = now;
        try {
            found = find(now);
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("Cannot look for open transactions", e);
            found = List.of();
            waiting = 0;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return found;
    }

    /** The number of offsets that wait for the end of a transaction. */
    long waiting() {
        return waiting;
    }

    private List<String> find(long now)
            throws ExecutionException, InterruptedException, TimeoutException {
        Map<TopicPartition, Long> stable = offsets(OffsetSpec.latest(), READ_COMMITTED);
        Map<TopicPartition, Long> ends = offsets(OffsetSpec.latest(), READ_UNCOMMITTED);
        Map<TopicPartition, Long> starts = offsets(OffsetSpec.earliest(), READ_UNCOMMITTED);
        blocked.keySet().retainAll(stable.keySet());
        Map<TopicPartition, Long> stopped = new HashMap<>();
        for (Map.Entry<TopicPartition, Long> entry : stable.entrySet()) {
            TopicPartition partition = entry.getKey();
            long offset = entry.getValue();
            // Retention can have removed records of the transaction.
            long from = Math.max(offset, starts.getOrDefault(partition, 0L));
            long behind = ends.getOrDefault(partition, 0L) - from;
            Blocked before = blocked.get(partition);
            if (behind <= 0) {
                blocked.remove(partition);
            } else if (before == null || before.stableOffset != offset) {
                blocked.put(partition, new Blocked(offset, now));
            } else if (now - before.since >= PATIENCE.toMillis()) {
                stopped.put(partition, behind);
            }
        }
        waiting = stopped.values().stream().mapToLong(Long::longValue).sum();
        List<String> sentences = new ArrayList<>();
        for (TopicPartition partition : sorted(stopped.keySet())) {
            sentences.add(
                    "The partition %s waits for an open transaction%s: %d records wait."
                            .formatted(partition, describe(partition), stopped.get(partition)));
        }
        return sentences;
    }

    /** Who has opened the transaction, and when. */
    private String describe(TopicPartition partition)
            throws ExecutionException, InterruptedException, TimeoutException {
        Blocked at = blocked.get(partition);
        String since = ", since " + time(at.since) + " at the latest";
        try {
            Optional<ProducerState> first =
                    producers(partition).stream()
                            .filter(producer -> start(producer) <= at.stableOffset)
                            .min(Comparator.comparingLong(OpenTransactions::start));
            if (first.isPresent()) {
                return describe(first.get());
            }
        } catch (ExecutionException e) {
            LOG.debug("Cannot describe the producers of {}", partition, e);
        }
        return since;
    }

    /** Where the open transaction of a producer begins; the highest number if it has none. */
    private static long start(ProducerState producer) {
        return producer.currentTransactionStartOffset().orElse(Long.MAX_VALUE);
    }

    private String describe(ProducerState producer)
            throws ExecutionException, InterruptedException, TimeoutException {
        String since = ", since " + time(producer.lastTimestamp());
        ListTransactionsOptions ofProducer =
                new ListTransactionsOptions().filterProducerIds(Set.of(producer.producerId()));
        try {
            for (TransactionListing transaction : get(admin.listTransactions(ofProducer).all())) {
                String id = transaction.transactionalId();
                long start =
                        get(admin.describeTransactions(Set.of(id)).description(id))
                                .transactionStartTimeMs()
                                .orElse(producer.lastTimestamp());
                return " of the producer '%s', since %s".formatted(id, time(start));
            }
        } catch (ExecutionException e) {
            LOG.debug("Cannot describe the transaction of {}", producer, e);
        }
        return since;
    }

    private List<ProducerState> producers(TopicPartition partition)
            throws ExecutionException, InterruptedException, TimeoutException {
        return get(admin.describeProducers(Set.of(partition)).partitionResult(partition))
                .activeProducers();
    }

    private Map<TopicPartition, Long> offsets(OffsetSpec spec, IsolationLevel isolation)
            throws ExecutionException, InterruptedException, TimeoutException {
        Map<TopicPartition, OffsetSpec> specs =
                get(admin.describeTopics(Set.of(topic)).topicNameValues().get(topic))
                        .partitions()
                        .stream()
                        .map(info -> new TopicPartition(topic, info.partition()))
                        .collect(Collectors.toMap(p -> p, p -> spec));
        Map<TopicPartition, Long> offsets = new HashMap<>();
        get(admin.listOffsets(specs, new ListOffsetsOptions(isolation)).all())
                .forEach((partition, result) -> offsets.put(partition, result.offset()));
        return offsets;
    }

    private static <T> T get(KafkaFuture<T> future)
            throws ExecutionException, InterruptedException, TimeoutException {
        return future.get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
    }

    private static List<TopicPartition> sorted(Collection<TopicPartition> partitions) {
        return partitions.stream()
                .sorted(Comparator.comparingInt(TopicPartition::partition))
                .toList();
    }

    private static Instant time(long millis) {
        return Instant.ofEpochMilli(millis).truncatedTo(ChronoUnit.SECONDS);
    }

    @Override
    public void close() {
        admin.close(Duration.ZERO);
    }
}
