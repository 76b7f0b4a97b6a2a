// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.tools.flink.BenchCluster;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A contender that runs as a Flink job: it scores tokens from memory and counts the results. */
@Internal
public final class FlinkContender implements Contender {

    /** The part of the job that differs between contenders. */
    interface Scoring {
        DataStream<ScoredToken> score(DataStream<Token> tokens) throws Exception;
    }

    private final String name;
    private final BenchCluster cluster;
    private final int parallelism;
    private final InputLayout inputs;
    private final Scoring scoring;

    FlinkContender(
            String name,
            BenchCluster cluster,
            int parallelism,
            InputLayout inputs,
            Scoring scoring) {
        this.name = name;
        this.cluster = cluster;
        this.parallelism = parallelism;
        this.inputs = inputs;
        this.scoring = scoring;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public double rate(Duration time) throws Exception {
        return speed(time).tokensPerSecond();
    }

    /** The same, also by CPU time. */
    public FlinkRun.Speed speed(Duration time) throws Exception {
        try (FlinkRun run = start(0, Duration.ZERO)) {
            run.rate(time); // The JVM compiles code again for each job, for a second or two.
            return run.speed(time);
        }
    }

    /**
     * Starts the job.
     *
     * @param tokensPerSecond the input rate; 0 for full speed
     * @param checkpoints the checkpoint interval; zero for no checkpoints
     */
    public FlinkRun start(double tokensPerSecond, Duration checkpoints) throws Exception {
        StreamExecutionEnvironment env = cluster.environment(parallelism);
        if (!checkpoints.isZero()) {
            env.enableCheckpointing(checkpoints.toMillis());
        }
        scoring.score(TokenSource.of(env, inputs, tokensPerSecond))
                .sinkTo(new CountingSink())
                .uid("counting-sink");
        return FlinkRun.start(cluster, env);
    }
}
