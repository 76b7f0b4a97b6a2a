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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How many rows the experts of a layer with several gates executed, by the metric {@code
 * moe.expert.<e>.numTokensExecuted} of the job. A token runs each expert once, however many gates
 * chose it. A layer with one gate has no figure: the choices say the same.
 */
@Internal
final class ExpertRuns {

    private static final Logger LOG = LoggerFactory.getLogger(ExpertRuns.class);

    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final Duration PAUSE = Duration.ofMillis(200);

    private static final long UNKNOWN = -1;

    private final LayerSpec layer;
    private long runs = UNKNOWN;
    private int tokens;

    ExpertRuns(LayerSpec layer) {
        this.layer = layer;
    }

    /**
     * Reads the metric of the running job, whose values are about a second old. Returns when all
     * executed choices of the answers are counted, or after ten seconds.
     */
    void read(FlinkRest rest, JobID job, DemoResults results) throws InterruptedException {
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
        read(rest, job, counters);
        while (runs < answered && System.nanoTime() < deadline) {
            Thread.sleep(PAUSE.toMillis());
            read(rest, job, counters);
        }
    }

    private void read(FlinkRest rest, JobID job, List<String> counters) {
        try {
            runs =
                    rest.counters(job, counters).values().stream()
                            .flatMap(List::stream)
                            .mapToLong(Long::longValue)
                            .sum();
        } catch (IOException e) {
            LOG.debug("The JobManager is busy", e); // The next attempt may succeed.
        }
    }

    List<Figure> figures() {
        if (layer.hasOneGate()) {
            return List.of();
        }
        if (runs == UNKNOWN) {
            return List.of(new Figure("expert runs", "-", "the job did not report them in time"));
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
