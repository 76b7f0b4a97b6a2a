// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.tools.flink.FlinkRest;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/**
 * How many rows the experts of a layer with several gates executed, by the metric {@code
 * moe.expert.<e>.numTokensExecuted} of the job. A token runs each expert once, however many gates
 * chose it. A layer with one gate has no figure: the choices say the same.
 */
@Internal
final class ExpertRuns {

    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final Duration PAUSE = Duration.ofMillis(200);

    private final LayerSpec layer;
    private long runs;
    private int tokens;

    ExpertRuns(LayerSpec layer) {
        this.layer = layer;
    }

    /**
     * Reads the metric of the running job, whose values are about a second old. Returns when all
     * executed choices of the answers are counted, or after ten seconds.
     */
    void read(FlinkRest rest, JobID job, DemoResults results)
            throws IOException, InterruptedException {
        if (layer.hasOneGate()) {
            return;
        }
        List<String> counters =
                IntStream.range(0, layer.numExperts())
                        .mapToObj("moe.expert.%d.numTokensExecuted"::formatted)
                        .toList();
        tokens = results.distinct();
        long answered = results.executedChoices();
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        runs = sum(rest, job, counters);
        while (runs < answered && System.nanoTime() < deadline) {
            Thread.sleep(PAUSE.toMillis());
            runs = sum(rest, job, counters);
        }
    }

    private static long sum(FlinkRest rest, JobID job, List<String> counters) throws IOException {
        return rest.counters(job, counters).values().stream()
                .flatMap(List::stream)
                .mapToLong(Long::longValue)
                .sum();
    }

    List<Figure> figures() {
        if (layer.hasOneGate()) {
            return List.of();
        }
        return List.of(
                new Figure(
                        "expert runs",
                        "%,d".formatted(runs),
                        "%.2f per flight; dense: %,d"
                                .formatted(
                                        (double) runs / Math.max(1, tokens),
                                        (long) tokens * layer.numExperts())));
    }
}
