// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

class AxisTest {

    @Test
    void linearAxisIsWidenedToRoundMarks() {
        Axis axis = Axis.linear("").fitted(DoubleStream.of(13, 41, Double.NaN, 97), 5);

        assertThat(axis.ticks(5)).containsExactly(0, 20, 40, 60, 80, 100);
        assertThat(axis.position(0)).isZero();
        assertThat(axis.position(25)).isEqualTo(0.25);
        assertThat(axis.position(100)).isEqualTo(1);
    }

    @Test
    void valuesFarFromZeroDoNotBeginThere() {
        Axis axis = Axis.linear("").fitted(DoubleStream.of(0.71, 0.74), 4);

        assertThat(axis.ticks(4))
                .usingComparatorWithPrecision(1e-9)
                .containsExactly(0.71, 0.72, 0.73, 0.74);
        assertThat(texts(axis, 4)).containsExactly("0.71", "0.72", "0.73", "0.74");
    }

    @Test
    void negativeValuesAndOneValueAloneHaveARange() {
        assertThat(Axis.linear("").fitted(DoubleStream.of(-3, 8), 5).ticks(5))
                .containsExactly(-5, 0, 5, 10);
        assertThat(Axis.linear("").fitted(DoubleStream.of(7, 7), 5).position(7)).isBetween(0., 1.);
        assertThat(Axis.linear("").fitted(DoubleStream.empty(), 5).ticks(5)).hasSize(6);
        assertThat(Axis.log("").fitted(DoubleStream.of(7, 7), 5).position(7))
                .isCloseTo(0.5, within(0.1));
    }

    @Test
    void logAxisIsEvenInRatios() {
        Axis axis = Axis.log("").fitted(DoubleStream.of(1.3, 70_000), 6);

        assertThat(axis.ticks(6)).containsExactly(1, 10, 100, 1000, 10_000, 100_000);
        assertThat(axis.position(10) - axis.position(1))
                .isCloseTo(axis.position(100_000) - axis.position(10_000), within(1e-12));
        assertThat(texts(axis, 6)).containsExactly("1", "10", "100", "1k", "10k", "100k");
        assertThat(axis.ticks(3)).containsExactly(1, 100, 10_000);
    }

    @Test
    void shortLogAxisHasMarksBetweenThePowers() {
        assertThat(Axis.log("").fitted(DoubleStream.of(3, 40), 5).ticks(5))
                .containsExactly(2, 5, 10, 20, 50);
        assertThat(Axis.log("").range(3.1, 4.4).ticks(5))
                .usingComparatorWithPrecision(1e-9)
                .containsExactly(3.5, 4);
    }

    @Test
    void logAxisRefusesWhatItCannotShow() {
        assertThatThrownBy(() -> Axis.log("ms").fitted(DoubleStream.of(0, 1), 5))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("axis 'ms' is logarithmic, but a value is 0.0");
        assertThatThrownBy(() -> Axis.log("ms").range(0, 1)).hasMessageContaining("axis 'ms'");
        assertThatThrownBy(() -> Axis.linear("ms").range(1, 1)).hasMessageContaining("1.0 to 1.0");
    }

    @Test
    void timeIsMarkedAtFullHoursAndDays() {
        long start = Instant.parse("2001-06-01T00:00:00Z").toEpochMilli();
        Axis day = Axis.time("").range(start, start + 86_400_000);
        Axis month = Axis.time("").range(start, start + 30 * 86_400_000.);

        assertThat(texts(day, 6)).containsExactly("1 Jun", "06:00", "12:00", "18:00", "2 Jun");
        assertThat(texts(month, 5))
                .allMatch(text -> text.endsWith(" Jun") || text.endsWith(" Jul"));
        assertThat(day.exact(start + 3_600_000)).isEqualTo("1 Jun 01:00");
    }

    @Test
    void categoriesAreTheMiddlesOfSlots() {
        Axis axis = Axis.categories("", List.of("a", "b", "c", "d"));

        assertThat(axis.position(0)).isEqualTo(0.125);
        assertThat(axis.position(3)).isEqualTo(0.875);
        assertThat(texts(axis, 4)).containsExactly("a", "b", "c", "d");
        assertThat(texts(axis, 2)).containsExactly("a", "c");
    }

    @Test
    void numbersAreShort() {
        assertThat(
                        DoubleStream.of(
                                        0, 0.1 + 0.2, -2, 950, 1500, 20_000, 2e6, 3.5e9, 1e-7,
                                        1.5e-5, 2e12)
                                .mapToObj(Axis::number))
                .containsExactly(
                        "0",
                        "0.3",
                        "-2",
                        "950",
                        "1.5k",
                        "20k",
                        "2M",
                        "3.5G",
                        "1e-7",
                        "0.000015",
                        "2e12");
        assertThat(Axis.linear("").exact(1_234_567)).isEqualTo("1,234,567");
        assertThat(Axis.linear("").exact(0.123456)).isEqualTo("0.1235");
    }

    private static List<String> texts(Axis axis, int marks) {
        double[] ticks = axis.ticks(marks);
        return Arrays.stream(ticks).mapToObj(tick -> axis.text(tick, ticks)).toList();
    }
}
