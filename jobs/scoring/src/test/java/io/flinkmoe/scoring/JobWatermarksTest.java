// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

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
import org.apache.flink.api.common.eventtime.WatermarkAlignmentParams;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.util.clock.ManualClock;
import org.apache.flink.util.clock.RelativeClock;
import org.junit.jupiter.api.Test;

/** The watermarks of the job's options, of one partition, on a clock of the test's own. */
class JobWatermarksTest {

    private static final String IDLE = "idle";

    private final Configuration options = new Configuration();
    private final ManualClock clock = new ManualClock(1); // At 0 Flink takes it for unset.
    private final List<String> given = new ArrayList<>();

    @Test
    void followTheTokensAtADistance() {
        options.set(KafkaOptions.SOURCE_MAX_OUT_OF_ORDERNESS, Duration.ofMillis(10));
        WatermarkGenerator<Arrival> watermarks = generator();

        read(watermarks, token(77), 77);
        read(watermarks, token(60), 60);
        watermarks.onPeriodicEmit(output());

        assertThat(given).containsExactly("66");
    }

    @Test
    void areNotMovedByADeadLetter() {
        options.set(KafkaOptions.SOURCE_MAX_OUT_OF_ORDERNESS, Duration.ofMillis(10));
        WatermarkGenerator<Arrival> watermarks = generator();

        read(watermarks, token(77), 77);
        read(watermarks, deadLetter(), 99);
        watermarks.onPeriodicEmit(output());

        assertThat(given).containsExactly("66");
    }

    @Test
    void goByTheTimeOfATokenAndNotOfItsRecord() {
        TimestampAssigner<Arrival> assigner =
                KafkaInput.watermarks(options).createTimestampAssigner(null);

        assertThat(assigner.extractTimestamp(token(77), 99)).isEqualTo(77);
        assertThat(assigner.extractTimestamp(deadLetter(), 99)).isEqualTo(Long.MIN_VALUE);
    }

    @Test
    void areIdleOnceTheTimeoutIsOverWhateverDeadLettersCome() {
        options.set(KafkaOptions.SOURCE_IDLE_TIMEOUT, Duration.ofSeconds(30));
        WatermarkGenerator<Arrival> watermarks = generator();
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
    void areNeverIdleWithATimeoutOfZero() {
        options.set(KafkaOptions.SOURCE_IDLE_TIMEOUT, Duration.ZERO);
        WatermarkGenerator<Arrival> watermarks = generator();

        for (int day = 0; day < 3; day++) {
            watermarks.onPeriodicEmit(output());
            clock.advanceTime(Duration.ofDays(1));
        }

        assertThat(given).isEmpty();
    }

    @Test
    void areAlignedWhereADriftIsAllowedOnly() {
        assertThat(alignment().isEnabled()).isFalse();

        options.set(KafkaOptions.SOURCE_MAX_DRIFT, Duration.ofSeconds(20));

        assertThat(alignment().isEnabled()).isTrue();
        assertThat(alignment().getMaxAllowedWatermarkDrift()).isEqualTo(20_000);
        // Its timestamps and its watermarks are the same as without.
        areNotMovedByADeadLetter();
        goByTheTimeOfATokenAndNotOfItsRecord();
    }

    private WatermarkAlignmentParams alignment() {
        return KafkaInput.watermarks(options).getAlignmentParameters();
    }

    private WatermarkGenerator<Arrival> generator() {
        return KafkaInput.watermarks(options)
                .createWatermarkGenerator(
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
