// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import io.flinkmoe.tools.bench.contenders.Contenders;
import io.flinkmoe.tools.bench.contenders.FlinkContender;
import io.flinkmoe.tools.bench.contenders.FlinkRun;
import io.flinkmoe.tools.bench.contenders.Shape;
import io.flinkmoe.tools.statistics.Spread;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.checkpoint.CheckpointStatsSnapshot;
import org.apache.flink.runtime.checkpoint.CompletedCheckpointStatsSummarySnapshot;

/**
 * The cost of checkpoints.
 *
 * @param ratio tokens per second with one checkpoint per second, relative to the speed without
 *     checkpoints
 * @param millis the average duration of a checkpoint
 * @param bytes the average size of a checkpoint
 */
@Internal
public record CheckpointCost(Spread ratio, double millis, long bytes) {

    private static final Duration INTERVAL = Duration.ofSeconds(1);

    static CheckpointCost measure(BenchContext context, Shape shape) throws Exception {
        FlinkContender flinkMoe =
                (FlinkContender) context.contenders(shape).of(Contenders.FLINK_MOE);
        List<Double> ratios = new ArrayList<>();
        double millis = 0;
        long bytes = 0;
        for (int round = 1; round <= context.rounds(); round++) {
            context.report(
                    "%s: checkpoints, round %d of %d", shape.name(), round, context.rounds());
            double without = flinkMoe.rate(context.time());
            try (FlinkRun run = flinkMoe.start(0, INTERVAL)) {
                run.rate(context.time().dividedBy(2));
                ratios.add(run.rate(context.time()) / without);
                CompletedCheckpointStatsSummarySnapshot completed = completed(run);
                millis += completed.getEndToEndDurationStats().getAverage() / context.rounds();
                bytes += completed.getStateSizeStats().getAverage() / context.rounds();
            }
        }
        return new CheckpointCost(Spread.of(ratios), millis, bytes);
    }

    private static CompletedCheckpointStatsSummarySnapshot completed(FlinkRun run)
            throws Exception {
        CheckpointStatsSnapshot stats = run.graph().getCheckpointStatsSnapshot();
        if (stats.getCounts().getNumberOfCompletedCheckpoints() == 0) {
            throw new IllegalStateException("no checkpoint completed during the benchmark");
        }
        return stats.getSummaryStats();
    }
}
