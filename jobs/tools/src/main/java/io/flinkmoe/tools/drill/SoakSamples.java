// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.apache.commons.math3.stat.StatUtils;
import org.apache.flink.annotation.Internal;

/**
 * Samples of a job's memory. The first quarter is the warm-up. Growth is the increase from the
 * second quarter to the last.
 */
@Internal
final class SoakSamples {

    private static final long MEBI = 1 << 20;

    private final List<Sample> samples = new ArrayList<>();

    /**
     * One sample.
     *
     * @param seconds since the start
     * @param tokens the tokens read so far
     * @param heap the used Java heap in bytes, of the task manager that uses most
     * @param resident the resident memory of all task managers, in bytes
     * @param state the size of the last checkpoint, in bytes
     */
    record Sample(double seconds, long tokens, long heap, long resident, long state) {

        @Override
        public String toString() {
            return "%6.0f s   heap %,5d MB   resident %,6d MB   state %,9d kB   read %,12d"
                    .formatted(seconds, heap / MEBI, resident / MEBI, state / 1024, tokens);
        }
    }

    void add(Sample sample) {
        samples.add(sample);
    }

    /** The tokens per second from the second quarter on. */
    double rate() {
        Sample first = samples.get(samples.size() / 4);
        Sample last = samples.get(samples.size() - 1);
        return (last.tokens() - first.tokens()) / (last.seconds() - first.seconds());
    }

    /**
     * What has grown, one line each. The minimum of the heap may grow by 64 MB; what is above the
     * minimum is garbage. The maximum of the resident memory may grow by 5 %. The lower quartile of
     * the state may grow by half, because it varies with the drift between partitions.
     */
    List<String> growth() {
        if (samples.size() < 8) {
            return List.of("there are only %d samples; run for longer".formatted(samples.size()));
        }
        List<String> growth = new ArrayList<>();
        long[] heap = bothQuarters(Sample::heap, StatUtils::min);
        addIf(growth, "heap", heap, heap[0] + 64 * MEBI);
        long[] resident = bothQuarters(Sample::resident, StatUtils::max);
        addIf(growth, "resident memory", resident, resident[0] + resident[0] / 20);
        long[] state = bothQuarters(Sample::state, sizes -> StatUtils.percentile(sizes, 25));
        addIf(growth, "state", state, state[0] + state[0] / 2 + MEBI);
        return growth;
    }

    private static void addIf(List<String> growth, String what, long[] values, long allowed) {
        if (values[1] > allowed) {
            growth.add(
                    "%s grew from %,d kB to %,d kB; allowed: up to %,d kB"
                            .formatted(what, values[0] / 1024, values[1] / 1024, allowed / 1024));
        }
    }

    /** A statistic of the second quarter and of the last. */
    private long[] bothQuarters(
            ToLongFunction<Sample> figure, ToDoubleFunction<double[]> statistic) {
        int n = samples.size();
        return Stream.of(samples.subList(n / 4, n / 2), samples.subList(n - n / 4, n))
                .map(quarter -> quarter.stream().mapToLong(figure).asDoubleStream().toArray())
                .mapToLong(figures -> (long) statistic.applyAsDouble(figures))
                .toArray();
    }
}
