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
 * What checkpoints cost.
 *
 * @param ratio tokens per second with a checkpoint a second, against none
 * @param millis how long a checkpoint takes, on average
 * @param bytes how much it writes, on average
 */
@Internal
public record CheckpointCost(Spread ratio, double millis, long bytes) {

    private static final Duration INTERVAL = Duration.ofSeconds(1);

    static CheckpointCost measure(Stage stage, Shape shape) throws Exception {
        FlinkContender flinkMoe = (FlinkContender) stage.contenders(shape).of(Contenders.FLINK_MOE);
        List<Double> ratios = new ArrayList<>();
        double millis = 0;
        long bytes = 0;
        for (int round = 1; round <= stage.rounds(); round++) {
            stage.say("%s: checkpoints, round %d of %d", shape.name(), round, stage.rounds());
            double without = flinkMoe.rate(stage.time());
            try (FlinkRun run = flinkMoe.start(0, INTERVAL)) {
                run.rate(stage.time().dividedBy(2));
                ratios.add(run.rate(stage.time()) / without);
                CompletedCheckpointStatsSummarySnapshot completed = completed(run);
                millis += completed.getEndToEndDurationStats().getAverage() / stage.rounds();
                bytes += completed.getStateSizeStats().getAverage() / stage.rounds();
            }
        }
        return new CheckpointCost(Spread.of(ratios), millis, bytes);
    }

    private static CompletedCheckpointStatsSummarySnapshot completed(FlinkRun run)
            throws Exception {
        CheckpointStatsSnapshot stats = run.graph().getCheckpointStatsSnapshot();
        if (stats.getCounts().getNumberOfCompletedCheckpoints() == 0) {
            throw new IllegalStateException("no checkpoint of the benchmark was completed");
        }
        return stats.getSummaryStats();
    }
}
