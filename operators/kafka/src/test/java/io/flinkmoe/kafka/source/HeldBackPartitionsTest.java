// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HeldBackPartitionsTest {

    private static final long NOW = 1_800_000_000_000L;
    private static final long YEAR = Duration.ofDays(365).toMillis();

    private long nanos = 5;

    @Test
    void namesThePartitionThatIsFarBehindForLong() {
        HeldBackPartitions watch = watch(Duration.ofMinutes(1));

        watch.update(new PartitionTimes(Map.of(0, NOW, 1, NOW - YEAR, 2, NOW + 5)));
        assertThat(watch.look()).isEmpty();
        assertThat(watch.lagMillis()).isEqualTo(YEAR);
        pass(Duration.ofSeconds(20));

        assertThat(watch.look())
                .containsExactly(
                        "The partition tokens-1 holds back the event time of all others: it is at"
                                + " 2026-01-15T08:00:00Z, and the next slowest is at"
                                + " 2027-01-15T08:00:00Z. Windows stay open until it catches up, or"
                                + " has had no tokens for 1 min (moe.source.idle-timeout).");
    }

    @Test
    void isQuietIfThereAreNoWindows() {
        HeldBackPartitions watch =
                new HeldBackPartitions("tokens", false, Duration.ZERO, () -> nanos);

        watch.update(new PartitionTimes(Map.of(0, NOW, 1, NOW - YEAR)));

        assertThat(afterLong(watch)).isEmpty();
        assertThat(watch.lagMillis()).isEqualTo(YEAR);
    }

    @Test
    void isQuietAboutSmallDifferencesAndSinglePartitions() {
        HeldBackPartitions watch = watch(Duration.ZERO);

        watch.update(new PartitionTimes(Map.of(0, NOW - YEAR)));
        assertThat(afterLong(watch)).isEmpty();
        watch.update(new PartitionTimes(Map.of(0, NOW, 1, NOW - 60_000)));
        assertThat(afterLong(watch)).isEmpty();
        watch.update(new PartitionTimes(Map.of(0, NOW + 1)));
        assertThat(afterLong(watch)).hasSize(1);
    }

    @Test
    void beginsAnewWhenThePartitionCatchesUp() {
        HeldBackPartitions watch = watch(Duration.ZERO);
        watch.update(new PartitionTimes(Map.of(0, NOW, 1, NOW - YEAR)));
        assertThat(afterLong(watch)).hasSize(1);

        watch.update(new PartitionTimes(Map.of(1, NOW)));
        assertThat(watch.look()).isEmpty();
        watch.update(new PartitionTimes(Map.of(1, NOW + YEAR)));
        assertThat(watch.look()).isEmpty(); // Now it is partition 0.
        assertThat(afterLong(watch)).singleElement().asString().contains("tokens-0");
    }

    @Test
    void forgetsPartitionsThatAreIdle() {
        HeldBackPartitions watch = watch(Duration.ofSeconds(10));
        watch.update(new PartitionTimes(Map.of(0, NOW, 1, NOW - YEAR, 2, NOW)));
        pass(Duration.ofSeconds(11));
        watch.update(new PartitionTimes(Map.of(0, NOW, 2, NOW)));

        assertThat(watch.look()).isEmpty();
        assertThat(watch.lagMillis()).isZero();
    }

    @Test
    void namesAPartitionWithoutTokensIfItIsNeverIdle() {
        HeldBackPartitions watch = watch(Duration.ZERO);
        watch.update(new PartitionTimes(Map.of(0, EventTimes.NONE, 1, EventTimes.NONE)));
        assertThat(afterLong(watch)).isEmpty();

        watch.update(new PartitionTimes(Map.of(1, NOW)));

        assertThat(afterLong(watch))
                .singleElement()
                .asString()
                .contains("tokens-0 holds back", "it has had no tokens since the start");
    }

    @Test
    void namesTheSlowOneThoughTheOthersArePausedAndNotOneThatIsFarBehindItsRecords() {
        HeldBackPartitions watch = watch(Duration.ofSeconds(10));
        watch.update(new PartitionTimes(Map.of(0, NOW, 1, NOW - YEAR, 2, EventTimes.BEHIND)));
        watch.look();
        pass(Duration.ofSeconds(21));
        watch.update(new PartitionTimes(Map.of(1, NOW - YEAR + 1)));

        assertThat(watch.look()).singleElement().asString().contains("tokens-1 holds back");
    }

    private Iterable<String> afterLong(HeldBackPartitions watch) {
        watch.look();
        pass(Duration.ofMinutes(1));
        return watch.look();
    }

    private HeldBackPartitions watch(Duration idleTimeout) {
        return new HeldBackPartitions("tokens", true, idleTimeout, () -> nanos);
    }

    private void pass(Duration time) {
        nanos += time.toNanos();
    }
}
