package io.flinkmoe;

import io.flinkmoe.stream.DeadLetter;
import io.flinkmoe.stream.Ingest;
import io.flinkmoe.stream.Router;
import io.flinkmoe.stream.RouterLogits;
import io.flinkmoe.stream.ScoredToken;
import io.flinkmoe.stream.WindowSummary;
import java.util.List;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.util.OutputTag;

/** What {@link MoeLayers} give. */
public final class MoeResult {

    private final SingleOutputStreamOperator<ScoredToken> scored;
    private final SingleOutputStreamOperator<?> ingest;
    private final List<SingleOutputStreamOperator<?>> counting;
    private final List<SingleOutputStreamOperator<?>> routers;

    MoeResult(
            SingleOutputStreamOperator<ScoredToken> scored,
            SingleOutputStreamOperator<?> ingest,
            List<SingleOutputStreamOperator<?>> counting,
            List<SingleOutputStreamOperator<?>> routers) {
        this.scored = scored;
        this.ingest = ingest;
        this.counting = counting;
        this.routers = routers;
    }

    /** One scored token per good token; those of a stream in their order. */
    public DataStream<ScoredToken> scored() {
        return scored;
    }

    /** The records that could not be scored. */
    public DataStream<DeadLetter> deadLetters() {
        return ingest.getSideOutput(Ingest.DEAD_LETTERS);
    }

    /** The accounts of all operators, window by window; empty without capacity. */
    public DataStream<WindowSummary> windowSummaries() {
        return union(counting, WindowSummary.SUMMARIES);
    }

    /** The router logits of every token and layer, if {@link MoeLayers#withRouterLogits()}. */
    public DataStream<RouterLogits> routerLogits() {
        if (routers.isEmpty()) {
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
