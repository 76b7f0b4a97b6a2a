// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.TimeUtils;

/**
 * Finds a partition whose event time is far behind that of all others for long. It holds back the
 * watermark, so windows stay open and their tokens stay in state.
 */
@Internal
final class HeldBackPartitions implements SourceWatch {

    /** Differences up to this one are normal. */
    static final Duration MIN_LAG = Duration.ofMinutes(1);

    /** A partition is named after it has held back the others for this time. */
    static final Duration PATIENCE = Duration.ofSeconds(20);

    private final String topic;
    private final boolean hasWindows;
    private final Duration idleTimeout;
    private final long idleNanos;
    private final LongSupplier clock;
    private final Map<Integer, Newest> partitions = new HashMap<>();
    private int slowest = -1;
    private long slowestSince;
    private long lag;

    /** The newest timestamp of a partition, and when it was reported. */
    private record Newest(long timestamp, long at) {}

    /**
     * @param hasWindows whether a partition that is behind does harm
     * @param idleTimeout the time after which a partition without tokens holds back nothing; zero
     *     if it always does
     * @param clock the time in nanoseconds
     */
    HeldBackPartitions(String topic, boolean hasWindows, Duration idleTimeout, LongSupplier clock) {
        this.topic = topic;
        this.hasWindows = hasWindows;
        this.idleTimeout = idleTimeout;
        this.idleNanos = idleTimeout.isZero() ? Long.MAX_VALUE : idleTimeout.toNanos();
        this.clock = clock;
    }

    /** Takes a report of a reader. */
    synchronized void update(PartitionTimes times) {
        long now = clock.getAsLong();
        times.newest()
                .forEach(
                        (partition, timestamp) ->
                                partitions.put(partition, new Newest(timestamp, now)));
    }

    @Override
    public synchronized List<String> look() {
        long now = clock.getAsLong();
        int first = slowest(now);
        int second = first < 0 ? -1 : nextSlowest(first);
        lag = second < 0 ? 0 : lag(timestamp(first), timestamp(second));
        if (!hasWindows || lag <= MIN_LAG.toMillis()) {
            slowest = -1;
            return List.of();
        }
        if (first != slowest) {
            slowest = first;
            slowestSince = now;
        }
        if (now - slowestSince < PATIENCE.toNanos()) {
            return List.of();
        }
        return List.of(
                ("The partition %s-%d holds back the event time of all others: %s, and the next"
                                + " slowest is at %s. Windows stay open until it catches up%s.")
                        .formatted(
                                topic,
                                first,
                                timestamp(first) == EventTimes.NONE
                                        ? "it has had no tokens since the start"
                                        : "it is at " + Instant.ofEpochMilli(timestamp(first)),
                                Instant.ofEpochMilli(timestamp(second)),
                                idleTimeout.isZero()
                                        ? ""
                                        : ", or has had no tokens for %s (moe.source.idle-timeout)"
                                                .formatted(
                                                        TimeUtils.formatWithHighestUnit(
                                                                idleTimeout))));
    }

    /** The slowest partition that is not idle; -1 if there is none. */
    private int slowest(long now) {
        int found = -1;
        for (Map.Entry<Integer, Newest> entry : partitions.entrySet()) {
            Newest newest = entry.getValue();
            boolean counts = newest.timestamp != EventTimes.BEHIND && now - newest.at <= idleNanos;
            if (counts && (found < 0 || newest.timestamp < timestamp(found))) {
                found = entry.getKey();
            }
        }
        return found;
    }

    /** The next slowest; it may seem idle, because a partition that is ahead can be paused. */
    private int nextSlowest(int first) {
        int found = -1;
        for (Map.Entry<Integer, Newest> entry : partitions.entrySet()) {
            long timestamp = entry.getValue().timestamp;
            boolean counts =
                    entry.getKey() != first
                            && timestamp != EventTimes.BEHIND
                            && timestamp >= timestamp(first);
            if (counts && (found < 0 || timestamp < timestamp(found))) {
                found = entry.getKey();
            }
        }
        return found;
    }

    private static long lag(long first, long second) {
        if (second == EventTimes.NONE) {
            return 0; // The source has just started.
        }
        return first == EventTimes.NONE ? Long.MAX_VALUE : second - first;
    }

    /**
     * How far the slowest partition is behind the next slowest, in milliseconds; -1 if it has had
     * no tokens.
     */
    synchronized long lagMillis() {
        return lag == Long.MAX_VALUE ? -1 : lag;
    }

    private long timestamp(int partition) {
        return partitions.get(partition).timestamp;
    }

    @Override
    public void close() {}
}
