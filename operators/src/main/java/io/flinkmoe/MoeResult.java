package io.flinkmoe;

import io.flinkmoe.stream.DeadLetter;
import io.flinkmoe.stream.Router;
import io.flinkmoe.stream.RouterLogits;
import io.flinkmoe.stream.ScoredToken;
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
    private final boolean hasRouterLogits;

    MoeResult(
            SingleOutputStreamOperator<ScoredToken> scored,
            SingleOutputStreamOperator<?> ingest,
            List<SingleOutputStreamOperator<?>> routers,
            List<SingleOutputStreamOperator<?>> counting,
            boolean hasRouterLogits) {
        this.scored = scored;
        this.rejecting = new ArrayList<>(routers);
        this.rejecting.add(ingest);
        this.routers = routers;
        this.counting = counting;
        this.hasRouterLogits = hasRouterLogits;
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

    /** The router logits of every token and layer, if {@link MoeLayers#withRouterLogits()}. */
    public DataStream<RouterLogits> routerLogits() {
        if (!hasRouterLogits) {
            throw new IllegalStateException(
                    "router logits were not asked for; call MoeLayers.withRouterLogits()");
        }
        return union(routers, Router.LOGITS);
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
