package io.flinkmoe;

import io.flinkmoe.stream.DeadLetter;
import io.flinkmoe.stream.DecisionRecord;
import io.flinkmoe.stream.Router;
import io.flinkmoe.stream.RouterLogits;
import io.flinkmoe.stream.ScoredToken;
import io.flinkmoe.stream.Token;
import io.flinkmoe.stream.WindowSummary;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.util.OutputTag;

/** What {@link MoeLayers} give. */
public final class MoeResult {

    private final SingleOutputStreamOperator<ScoredToken> scored;
    private final List<SingleOutputStreamOperator<?>> rejecting;
    private final List<SingleOutputStreamOperator<?>> routers;
    private final List<SingleOutputStreamOperator<?>> counting;
    private final MoeLayers layers;

    MoeResult(
            SingleOutputStreamOperator<ScoredToken> scored,
            SingleOutputStreamOperator<?> ingest,
            List<SingleOutputStreamOperator<?>> routers,
            List<SingleOutputStreamOperator<?>> counting,
            MoeLayers layers) {
        this.scored = scored;
        this.rejecting = new ArrayList<>(routers);
        this.rejecting.add(ingest);
        this.routers = routers;
        this.counting = counting;
        this.layers = layers;
    }

    /** One scored token per good token; those of a stream in their order. */
    public DataStream<ScoredToken> scored() {
        return scored;
    }

    /** The records that could not be scored, from the ingest and the routers. */
    public DataStream<DeadLetter> deadLetters() {
        return union(rejecting, DeadLetter.OUTPUT);
    }

    /** The accounts of all operators, window by window; empty without capacity. */
    public DataStream<WindowSummary> windowSummaries() {
        return union(counting, WindowSummary.SUMMARIES);
    }

    /** Why each scored token went where it went, if {@link MoeLayers#withDecisionLog()}. */
    public DataStream<DecisionRecord> decisions() {
        require(layers.logsDecisions(), "the decision log was", "withDecisionLog()");
        return scored.getSideOutput(DecisionRecord.DECISIONS);
    }

    /** The tokens that came too late, if {@link MoeLayers#divertingLateTokens()}. */
    public DataStream<Token> lateTokens() {
        require(layers.divertsLate(), "late tokens were", "divertingLateTokens()");
        return routers.get(0).getSideOutput(Router.LATE_TOKENS);
    }

    /** The router logits of every token and layer, if {@link MoeLayers#withRouterLogits()}. */
    public DataStream<RouterLogits> routerLogits() {
        require(layers.givesRouterLogits(), "router logits were", "withRouterLogits()");
        return union(routers, Router.LOGITS);
    }

    private static void require(boolean asked, String what, String method) {
        if (!asked) {
            throw new IllegalStateException(
                    "%s not asked for; call MoeLayers.%s".formatted(what, method));
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
