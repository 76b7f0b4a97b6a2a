// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.RouterLogits;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.config.JobSettings;
import io.flinkmoe.runtime.Topology;
import io.flinkmoe.runtime.router.LateTokens;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.util.OutputTag;

/** The streams that {@link MoeLayers} return. */
@PublicEvolving
public final class MoeResult {

    private final Topology.Streams streams;
    private final JobSettings job;

    MoeResult(Topology.Streams streams, JobSettings job) {
        this.streams = streams;
        this.job = job;
    }

    /**
     * One scored token for each valid token that is not diverted as late. The tokens of a stream
     * keep their order.
     */
    public DataStream<ScoredToken> scored() {
        return streams.scored();
    }

    /** The rejected records, each with the reason. */
    public DataStream<DeadLetter> deadLetters() {
        return union(streams.rejecting(), DeadLetter.OUTPUT);
    }

    /** The window counts of every router, expert and combine. Empty without a capacity. */
    public DataStream<WindowSummary> windowSummaries() {
        return union(streams.counting(), WindowSummary.SUMMARIES);
    }

    /**
     * The decision log: for each scored token the experts of its choices, with scores, weights and
     * outcomes.
     *
     * @throws IllegalStateException without {@link MoeLayers.Builder#decisionLog()}
     */
    public DataStream<DecisionRecord> decisions() {
        require(job.decisionLog(), "decisions", "decisionLog");
        return streams.scored().getSideOutput(DecisionRecord.DECISIONS);
    }

    /**
     * The late tokens, which were not scored.
     *
     * @throws IllegalStateException without {@link MoeLayers.Builder#divertLateTokens()}
     */
    public DataStream<Token> lateTokens() {
        require(job.divertLateTokens(), "late tokens", "divertLateTokens");
        return streams.routers().get(0).getSideOutput(LateTokens.OUTPUT);
    }

    /**
     * The router logits of every token and layer.
     *
     * @throws IllegalStateException without {@link MoeLayers.Builder#routerLogits()}
     */
    public DataStream<RouterLogits> routerLogits() {
        require(job.routerLogits(), "router logits", "routerLogits");
        return union(streams.routers(), RouterLogits.OUTPUT);
    }

    private static void require(boolean requested, String what, String method) {
        if (!requested) {
            throw new IllegalStateException(
                    "%s were not requested; call %s() on MoeLayers.builder(…)"
                            .formatted(what, method));
        }
    }

    private static <T> DataStream<T> union(
            List<SingleOutputStreamOperator<?>> operators, OutputTag<T> tag) {
        DataStream<T> all = operators.get(0).getSideOutput(tag);
        for (SingleOutputStreamOperator<?> operator : operators.subList(1, operators.size())) {
            all = all.union(operator.getSideOutput(tag));
        }
        return all;
    }
}
