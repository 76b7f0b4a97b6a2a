// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.TimestampAssigner;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.util.clock.ManualClock;
import org.apache.flink.util.clock.RelativeClock;
import org.junit.jupiter.api.Test;

/** The watermarks of one partition, on a clock of the test's own. */
class TokenWatermarksTest {

    private static final String IDLE = "idle";

    private static final TokenWatermarks STRATEGY =
            TokenWatermarks.forBoundedOutOfOrderness(Duration.ofMillis(10));

    private final ManualClock clock = new ManualClock(1); // At 0 Flink takes it for unset.
    private final List<String> given = new ArrayList<>();

    @Test
    void followTheTokensAtADistance() {
        WatermarkGenerator<Arrival> watermarks = generator(STRATEGY);

        read(watermarks, token(77), 77);
        read(watermarks, token(60), 60);
        watermarks.onPeriodicEmit(output());

        assertThat(given).containsExactly("66");
    }

    @Test
    void areNotMovedByADeadLetter() {
        WatermarkGenerator<Arrival> watermarks = generator(STRATEGY);

        read(watermarks, token(77), 77);
        read(watermarks, deadLetter(), 99);
        watermarks.onPeriodicEmit(output());

        assertThat(given).containsExactly("66");
    }

    @Test
    void goByTheTimeOfATokenAndNotOfItsRecord() {
        TimestampAssigner<Arrival> assigner = STRATEGY.createTimestampAssigner(null);

        assertThat(assigner.extractTimestamp(token(77), 99)).isEqualTo(77);
        assertThat(assigner.extractTimestamp(deadLetter(), 99)).isEqualTo(Long.MIN_VALUE);
    }

    @Test
    void areIdleOnceTheTimeoutIsOverWhateverDeadLettersCome() {
        WatermarkGenerator<Arrival> watermarks =
                generator(STRATEGY.withIdleness(Duration.ofSeconds(30)));
        read(watermarks, token(77), 77);
        watermarks.onPeriodicEmit(output());
        watermarks.onPeriodicEmit(output()); // The first that finds nothing new: time starts.

        clock.advanceTime(Duration.ofSeconds(30));
        read(watermarks, deadLetter(), 78);
        watermarks.onPeriodicEmit(output());
        assertThat(given).doesNotContain(IDLE);
        clock.advanceTime(Duration.ofMillis(1));
        read(watermarks, deadLetter(), 78);
        watermarks.onPeriodicEmit(output());
        assertThat(given).endsWith(IDLE);

        read(watermarks, token(80), 80);
        watermarks.onPeriodicEmit(output());
        assertThat(given.get(given.size() - 1)).isNotEqualTo(IDLE);
    }

    @Test
    void areIdleAtOnceIfAllTokensAreBehind() {
        WatermarkGenerator<Arrival> watermarks = generator(STRATEGY);

        for (int i = 0; i < 9; i++) {
            read(watermarks, behind(), 77);
        }
        watermarks.onPeriodicEmit(output());
        assertThat(given).doesNotContain(IDLE); // They can be a few errors among correct tokens.
        read(watermarks, behind(), 77);
        watermarks.onPeriodicEmit(output());
        assertThat(given).endsWith(IDLE);

        read(watermarks, token(80), 80);
        read(watermarks, behind(), 81);
        watermarks.onPeriodicEmit(output());
        assertThat(given).endsWith("69");
    }

    @Test
    void areNeitherMovedNorKeptActiveByATokenThatIsBehind() {
        WatermarkGenerator<Arrival> watermarks =
                generator(STRATEGY.withIdleness(Duration.ofSeconds(30)));
        read(watermarks, token(77), 77);
        for (int i = 0; i < 20; i++) {
            read(watermarks, behind(), 77);
        }
        watermarks.onPeriodicEmit(output());
        assertThat(given).containsExactly("66");

        watermarks.onPeriodicEmit(output()); // The first that finds nothing new: time starts.
        clock.advanceTime(Duration.ofSeconds(31));
        read(watermarks, behind(), 78);
        watermarks.onPeriodicEmit(output());
        assertThat(given).endsWith(IDLE);
    }

    /** Flink asks such a generator for the reader as a whole, too. It must not keep that active. */
    @Test
    void areNotEmittedBeforeTheFirstToken() {
        WatermarkGenerator<Arrival> watermarks =
                generator(STRATEGY.withIdleness(Duration.ofSeconds(30)));

        watermarks.onPeriodicEmit(output());
        clock.advanceTime(Duration.ofSeconds(31));
        watermarks.onPeriodicEmit(output());

        assertThat(given).containsExactly(IDLE);
    }

    @Test
    void areNeverIdleWithoutATimeout() {
        WatermarkGenerator<Arrival> watermarks = generator(STRATEGY);

        for (int day = 0; day < 3; day++) {
            watermarks.onPeriodicEmit(output());
            clock.advanceTime(Duration.ofDays(1));
        }

        assertThat(given).isEmpty();
    }

    @Test
    void areTheSameWhereTheyAreAligned() {
        WatermarkStrategy<Arrival> aligned =
                STRATEGY.withWatermarkAlignment("tokens", Duration.ofSeconds(20));
        WatermarkGenerator<Arrival> watermarks = generator(aligned);

        read(watermarks, token(77), 77);
        read(watermarks, deadLetter(), 99);
        watermarks.onPeriodicEmit(output());

        assertThat(given).containsExactly("66");
        assertThat(aligned.createTimestampAssigner(null).extractTimestamp(token(77), 99))
                .isEqualTo(77);
        assertThat(aligned.getAlignmentParameters().getMaxAllowedWatermarkDrift())
                .isEqualTo(20_000);
    }

    private WatermarkGenerator<Arrival> generator(WatermarkStrategy<Arrival> strategy) {
        return strategy.createWatermarkGenerator(
                new WatermarkGeneratorSupplier.Context() {
                    @Override
                    public MetricGroup getMetricGroup() {
                        return new UnregisteredMetricsGroup();
                    }

                    @Override
                    public RelativeClock getInputActivityClock() {
                        return clock;
                    }
                });
    }

    private void read(WatermarkGenerator<Arrival> watermarks, Arrival arrival, long timestamp) {
        watermarks.onEvent(arrival, timestamp, output());
    }

    private static Arrival token(long timestamp) {
        return Arrival.of(new Token("s", 1, timestamp, new float[0]), 0);
    }

    private static Arrival behind() {
        return Arrival.behind(new Token("s", 1, 0, new float[0]), new Origin("in", 0, 0));
    }

    private static Arrival deadLetter() {
        return Arrival.of(
                DeadLetter.of(
                        new Origin("in", 0, 0),
                        RawRecord.of(new byte[0]),
                        new Rejection(Rejection.Kind.MALFORMED, "why")));
    }

    private WatermarkOutput output() {
        return new WatermarkOutput() {
            @Override
            public void emitWatermark(Watermark watermark) {
                given.add(String.valueOf(watermark.getTimestamp()));
            }

            @Override
            public void markIdle() {
                given.add(IDLE);
            }

            @Override
            public void markActive() {
                given.add("active");
            }
        };
    }
}
