// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TumblingWindowsTest {

    private static final TumblingWindows SECOND = new TumblingWindows(1_000);

    @ParameterizedTest(name = "{0} is in the window of {1}")
    @CsvSource({"0, 0", "999, 0", "1000, 1000", "-1, -1000", "-1000, -1000", "-1001, -2000"})
    void alignsWindowsWithTheEpochAlsoBeforeIt(long timestamp, long start) {
        assertThat(SECOND.startOf(timestamp)).isEqualTo(start);
        assertThat(SECOND.lastOf(start)).isEqualTo(start + 999);
    }

    @Test
    void holdsEveryTimestampInOneWindow() {
        Random random = new Random(1);
        for (int i = 0; i < 10_000; i++) {
            TumblingWindows windows = new TumblingWindows(1 + random.nextInt(100_000));
            long timestamp = random.nextLong() >> (2 + random.nextInt(60));
            long start = windows.startOf(timestamp);
            assertThat(start % windows.size()).as("alignment of %d", timestamp).isZero();
            assertThat(timestamp).isBetween(start, windows.lastOf(start));
        }
    }

    @Test
    void closesAWindowWhenTheWatermarkReachesItsLastTimestamp() {
        assertThat(SECOND.isClosed(0, 998)).isFalse();
        assertThat(SECOND.isClosed(0, 999)).isTrue();
        assertThat(SECOND.isClosed(999, 999)).isTrue();
        assertThat(SECOND.isClosed(1_000, 999)).isFalse();
        assertThat(SECOND.isClosed(-1, -2)).isFalse();
        assertThat(SECOND.isClosed(-1, -1)).isTrue();
        assertThat(SECOND.isClosed(5, Long.MIN_VALUE)).isFalse();
        assertThat(SECOND.isClosed(5, Long.MAX_VALUE)).isTrue();
    }

    @ParameterizedTest(name = "a watermark from {0} to {1} closes a window: {2}")
    @CsvSource({
        "0, 998, false",
        "0, 999, true",
        "998, 999, true",
        "999, 1000, false",
        "999, 1998, false",
        "999, 1999, true",
        "999, 999, false",
        "-1001, -1, true",
        "-1, 0, false",
        "-1, 998, false",
        "5, 9223372036854775807, true",
        "-9223372036854775808, -9223372036854775807, true",
    })
    void tellsWhetherAWatermarkClosesAnyWindow(long before, long now, boolean closes) {
        assertThat(SECOND.endsBetween(before, now)).isEqualTo(closes);
    }

    @Test
    void agreesWithACountOfTheLastTimestampsPassed() {
        Random random = new Random(2);
        for (int i = 0; i < 2_000; i++) {
            TumblingWindows windows = new TumblingWindows(1 + random.nextInt(20));
            long before = random.nextInt(200) - 100;
            long now = before + random.nextInt(40);
            boolean expected = false;
            for (long t = before + 1; t <= now; t++) {
                expected |= Math.floorMod(t + 1, windows.size()) == 0;
            }
            assertThat(windows.endsBetween(before, now))
                    .as("%s from %d to %d", windows, before, now)
                    .isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE})
    void refusesASizeBelowOne(long size) {
        assertThatThrownBy(() -> new TumblingWindows(size))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("window size is %d ms; allowed: 1 ms or more".formatted(size));
    }
}
