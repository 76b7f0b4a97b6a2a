// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Rejection.Kind;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.record.TimestampType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares the timestamps of tokens with the timestamps of their records and with this machine's
 * clock. A token from the future would advance the watermark so far that all other tokens are late.
 *
 * <p>If the broker sets the timestamps of records, they show what time it is. If producers set
 * them, a wrong clock of a producer makes both timestamps wrong, so this machine's clock is the
 * second witness.
 */
@Internal
final class TimestampCheck {

    private static final Logger LOG = LoggerFactory.getLogger(TimestampCheck.class);

    /** A clock that no token is ahead of. */
    static final Clock END_OF_TIME =
            Clock.fixed(Instant.ofEpochMilli(Long.MAX_VALUE), ZoneOffset.UTC);

    /** Records after which the share of rejected ones is examined. */
    private static final int SAMPLE = 1_000;

    private final long maxAhead;
    private final long maxBehind;
    private final Clock clock;

    /** Timestamps up to this one are not ahead of the clock. The clock is not read for them. */
    private long aheadAfter = Long.MIN_VALUE;

    private int checked;
    private int aheadOfClock;

    /**
     * @param maxAhead how far a token may be after its record and after the clock
     * @param maxBehind how far a token may be before its record
     */
    TimestampCheck(Duration maxAhead, Duration maxBehind, Clock clock) {
        this.maxAhead = maxAhead.toMillis();
        this.maxBehind = maxBehind.toMillis();
        this.clock = clock;
    }

    /**
     * Returns why a token's timestamp is too far in the future, or null if it is not. A record
     * without a timestamp has a negative one; it is compared with the clock only.
     */
    Rejection reasonToReject(long timestamp, ConsumerRecord<byte[], byte[]> record) {
        long written = record.timestamp();
        if (written >= 0 && isAfter(timestamp, written)) {
            return new Rejection(
                    Kind.AHEAD,
                    "timestamp %s is more than max-ahead (%s) after the record's timestamp %s"
                            .formatted(
                                    Instant.ofEpochMilli(timestamp),
                                    Duration.ofMillis(maxAhead),
                                    Instant.ofEpochMilli(written)));
        }
        if (record.timestampType() == TimestampType.LOG_APPEND_TIME) {
            return null;
        }
        boolean isAhead = timestamp > aheadAfter && isAfter(timestamp, readClock());
        count(isAhead);
        return isAhead
                ? new Rejection(
                        Kind.AHEAD_OF_CLOCK,
                        "timestamp %s is more than max-ahead (%s) after this machine's clock %s"
                                .formatted(
                                        Instant.ofEpochMilli(timestamp),
                                        Duration.ofMillis(maxAhead),
                                        clock.instant()))
                : null;
    }

    /** Whether a token's timestamp is so much older than its record that it is an error. */
    boolean isBehind(long timestamp, ConsumerRecord<byte[], byte[]> record) {
        return record.timestamp() >= 0 && timestamp < record.timestamp() - maxBehind;
    }

    private boolean isAfter(long timestamp, long other) {
        return timestamp > other && timestamp - other > maxAhead;
    }

    private long readClock() {
        long now = clock.millis();
        aheadAfter = now + Math.min(maxAhead, Long.MAX_VALUE - now);
        return now;
    }

    /** Warns if most records are ahead of the clock: then the clock is likelier to be wrong. */
    private void count(boolean isAhead) {
        checked++;
        aheadOfClock += isAhead ? 1 : 0;
        if (checked == SAMPLE) {
            if (aheadOfClock > SAMPLE / 2) {
                LOG.warn(
                        "{} of {} records are dated more than {} after this machine's clock ({})"
                                + " and are rejected; check the clock of this machine",
                        aheadOfClock,
                        SAMPLE,
                        Duration.ofMillis(maxAhead),
                        clock.instant());
            }
            checked = 0;
            aheadOfClock = 0;
        }
    }
}
