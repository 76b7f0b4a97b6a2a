// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.chart;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * An axis of a chart: maps values to positions and chooses tick marks. Without a range, the chart
 * uses the range of the data.
 */
@Internal
public final class Axis {

    private enum Kind {
        LINEAR,
        LOG,
        TIME,
        CATEGORIES
    }

    private static final double HOUR = 3_600_000;
    private static final double[] TIME_STEPS = {
        1000,
        5000,
        15_000,
        60_000,
        300_000,
        900_000,
        HOUR / 2,
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        24 * HOUR,
        48 * HOUR,
        96 * HOUR,
        168 * HOUR,
        336 * HOUR,
        672 * HOUR,
        2016 * HOUR,
        8064 * HOUR
    };

    private final String label;
    private final Kind kind;
    private final List<String> names;
    private final double min;
    private final double max;

    private Axis(String label, Kind kind, List<String> names, double min, double max) {
        this.label = label;
        this.kind = kind;
        this.names = names;
        this.min = min;
        this.max = max;
    }

    /**
     * @param label what is measured, with its unit; may be empty
     */
    public static Axis linear(String label) {
        return new Axis(label, Kind.LINEAR, List.of(), Double.NaN, Double.NaN);
    }

    /** A logarithmic axis, for values above 0. */
    public static Axis log(String label) {
        return new Axis(label, Kind.LOG, List.of(), Double.NaN, Double.NaN);
    }

    /** A time axis: milliseconds since 1970, shown as dates and hours in UTC. */
    public static Axis time(String label) {
        return new Axis(label, Kind.TIME, List.of(), Double.NaN, Double.NaN);
    }

    /**
     * An axis with n slots of equal width. The value i is the middle of the slot named {@code
     * names[i]}.
     */
    public static Axis categories(String label, List<String> names) {
        return new Axis(label, Kind.CATEGORIES, List.copyOf(names), -0.5, names.size() - 0.5);
    }

    /**
     * This axis with the given range.
     *
     * @throws IllegalArgumentException if min is not below max, or not above 0 on a log axis
     */
    public Axis range(double min, double max) {
        if (!(min < max) || kind == Kind.LOG && min <= 0) {
            throw new IllegalArgumentException(
                    "axis '%s': no %s range from %s to %s"
                            .formatted(label, kind.name().toLowerCase(Locale.ROOT), min, max));
        }
        return new Axis(label, kind, names, min, max);
    }

    String label() {
        return label;
    }

    boolean isCategories() {
        return kind == Kind.CATEGORIES;
    }

    boolean isLog() {
        return kind == Kind.LOG;
    }

    double min() {
        return min;
    }

    /**
     * This axis with a range that contains the values, unless it has a range already. The range
     * starts at 0 if the smallest value is less than half of the largest.
     *
     * @param marks if above 0, the range is widened so that it begins and ends at a tick; this is
     *     the approximate number of ticks
     * @throws IllegalArgumentException if a value is not above 0 on a log axis
     */
    Axis fitted(DoubleStream values, int marks) {
        if (min < max) {
            return this;
        }
        double[] finite = values.filter(Double::isFinite).toArray();
        double low = Arrays.stream(finite).min().orElse(kind == Kind.LOG ? 1 : 0);
        double high = Arrays.stream(finite).max().orElse(kind == Kind.LOG ? 10 : 1);
        if (kind == Kind.LOG) {
            if (low <= 0) {
                throw new IllegalArgumentException(
                        "axis '%s' is logarithmic, but a value is %s".formatted(label, low));
            }
            if (low == high) {
                return range(low / 2, high * 2);
            }
            return marks > 0 ? range(bound(low, false), bound(high, true)) : range(low, high);
        }
        if (kind == Kind.LINEAR && low > 0 && low < high / 2) {
            low = 0;
        }
        if (low == high) {
            high = low + (low == 0 ? 1 : Math.abs(low));
        }
        if (marks == 0) {
            return range(low, high);
        }
        double step = step(low, high, marks);
        return range(Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step);
    }

    /** The position of a value: 0 at the start of the range, 1 at its end. */
    double position(double value) {
        if (kind == Kind.LOG) {
            return (Math.log(value) - Math.log(min)) / (Math.log(max) - Math.log(min));
        }
        return (value - min) / (max - min);
    }

    /** The value at a position of a linear scale. */
    double at(double position) {
        return min + position * (max - min);
    }

    /**
     * Round values within the range, ascending.
     *
     * @param marks the approximate number of ticks
     */
    double[] ticks(int marks) {
        return switch (kind) {
            case LINEAR, TIME -> multiples(step(min, max, marks));
            case LOG -> logTicks(marks);
            case CATEGORIES -> {
                int every = Math.max(1, (int) Math.ceil((double) names.size() / marks));
                yield IntStream.range(0, names.size())
                        .filter(i -> i % every == 0)
                        .asDoubleStream()
                        .toArray();
            }
        };
    }

    /** The label of a tick. */
    String text(double value, double[] ticks) {
        return switch (kind) {
            case LINEAR, LOG -> number(value);
            case CATEGORIES -> names.get((int) Math.round(value));
            case TIME -> {
                double step = ticks.length > 1 ? ticks[1] - ticks[0] : HOUR;
                boolean midnight = value % (24 * HOUR) == 0;
                yield format(value, midnight ? "d MMM" : step < 60_000 ? "HH:mm:ss" : "HH:mm");
            }
        };
    }

    /** A value in full, for tooltips. */
    String exact(double value) {
        return switch (kind) {
            case LINEAR, LOG ->
                    value == Math.rint(value) && Math.abs(value) < 1e15
                            ? String.format(Locale.ROOT, "%,d", (long) value)
                            : Math.abs(value) < 1e-4 ? number(value) : plain(value, 4);
            case CATEGORIES -> names.get((int) Math.round(value));
            case TIME -> format(value, "d MMM HH:mm");
        };
    }

    /** Formats a number: 1.5k for 1500, 20M for 20,000,000, 0.25, 1e-7. */
    static String number(double value) {
        double size = Math.abs(value);
        if (size >= 1e12 || size > 0 && size < 1e-4) {
            return rounded(value, 3).toString().toLowerCase(Locale.ROOT).replace("+", "");
        }
        if (size >= 1e9) {
            return plain(value / 1e9, 6) + "G";
        }
        if (size >= 1e6) {
            return plain(value / 1e6, 6) + "M";
        }
        return size >= 1e3 ? plain(value / 1e3, 6) + "k" : plain(value, 6);
    }

    private double[] logTicks(int marks) {
        int from = (int) Math.ceil(Math.log10(min) - 1e-9);
        int to = (int) Math.floor(Math.log10(max) + 1e-9);
        if (to - from >= 2) {
            int every = Math.max(1, (int) Math.ceil((to - from + 1.0) / Math.max(2, marks)));
            return IntStream.rangeClosed(from, to)
                    .filter(power -> (power - from) % every == 0)
                    .mapToDouble(power -> BigDecimal.ONE.scaleByPowerOfTen(power).doubleValue())
                    .toArray();
        }
        double[] fine =
                IntStream.rangeClosed(from - 1, to + 1)
                        .boxed()
                        .flatMapToDouble(
                                power -> DoubleStream.of(1, 2, 5).map(d -> d * Math.pow(10, power)))
                        .filter(tick -> tick >= min * (1 - 1e-9) && tick <= max * (1 + 1e-9))
                        .toArray();
        return fine.length >= 2 ? fine : multiples(step(min, max, marks));
    }

    private double[] multiples(double step) {
        long from = (long) Math.ceil(min / step - 1e-9);
        long to = (long) Math.floor(max / step + 1e-9);
        return IntStream.rangeClosed(0, (int) (to - from))
                .mapToDouble(i -> (from + i) * step)
                .toArray();
    }

    private double step(double low, double high, int marks) {
        double least = (high - low) / Math.max(1, marks);
        if (kind == Kind.TIME) {
            return Arrays.stream(TIME_STEPS)
                    .filter(step -> step >= least)
                    .findFirst()
                    .orElse(TIME_STEPS[TIME_STEPS.length - 1]);
        }
        double power = Math.pow(10, Math.floor(Math.log10(least)));
        double digit = least / power;
        return power * (digit <= 1 + 1e-9 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
    }

    /** The nearest of 1, 2, 5, 10, 20, ... that is not below (up) or not above the value. */
    private static double bound(double value, boolean up) {
        double power = Math.pow(10, Math.floor(Math.log10(value)));
        double digit = value / power;
        if (up) {
            return power * (digit <= 1 + 1e-9 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
        }
        return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
    }

    private static String plain(double value, int digits) {
        return rounded(value, digits).toPlainString();
    }

    private static BigDecimal rounded(double value, int digits) {
        BigDecimal rounded =
                new BigDecimal(value).round(new MathContext(digits, RoundingMode.HALF_UP));
        return rounded.signum() == 0 ? BigDecimal.ZERO : rounded.stripTrailingZeros();
    }

    private static String format(double millis, String pattern) {
        return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH)
                .withZone(ZoneOffset.UTC)
                .format(Instant.ofEpochMilli((long) millis));
    }
}
