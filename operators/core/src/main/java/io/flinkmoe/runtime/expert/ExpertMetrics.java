package io.flinkmoe.runtime.expert;

import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.function.IntSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.SimpleCounter;

/**
 * What an {@link Expert} reports of one of its experts, in the group {@code moe.expert.<e>}, the
 * expert being the variable {@code expert}. A token that asks two experts counts with both. Of what
 * came in, each is executed, rerouted, overflowed, passed on, late or failed in the end.
 */
@Internal
public final class ExpertMetrics {

    /** The names. */
    public enum Name {
        /** Counter: tokens that asked the expert. */
        NUM_TOKENS_IN("numTokensIn"),
        /** Counter: tokens that it ran and that asked it first. */
        NUM_TOKENS_EXECUTED("numTokensExecuted"),
        /** Counter: tokens that it ran after another expert had no room for them. */
        NUM_TOKENS_REROUTED("numTokensRerouted"),
        /** Counter: tokens without room that keep their residual. */
        NUM_TOKENS_OVERFLOWED("numTokensOverflowed"),
        /** Counter: tokens without room that went on to their next expert. */
        NUM_TOKENS_PASSED_ON("numTokensPassedOn"),
        /** Counter: tokens whose window is closed. */
        NUM_TOKENS_LATE("numTokensLate"),
        /** Counter: tokens that it threw at, or had no finite answer to. */
        NUM_TOKENS_FAILED("numTokensFailed"),
        /** Gauge: tokens that wait for a call to fill, or for the close of their window. */
        TOKENS_WAITING("tokensWaiting"),
        /** Histogram: tokens of a call. */
        BATCH_SIZE("batchSize"),
        /** Histogram: microseconds of a call. */
        INFERENCE_TIME_US("inferenceTimeUs"),
        /** Histogram: microseconds that a call's first token waited for it to fill. */
        QUEUE_TIME_US("queueTimeUs");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    final Counter tokensIn;
    final Counter executed;
    final Counter overflowed;
    final Counter passedOn;
    final Counter late;
    final Counter failed;
    final Histogram batchSize;
    final Histogram inferenceTime;
    final Histogram queueTime;

    /** Tokens that are in state until their window closes; not those of a restored state. */
    final Counter held = new SimpleCounter();

    private final MetricGroup group;

    /**
     * @param round the round of admission: what runs in a later one was rerouted
     */
    ExpertMetrics(MetricGroup operator, int expert, int round) {
        group =
                operator.addGroup(MoeMetrics.GROUP)
                        .addGroup(MoeMetrics.EXPERT, String.valueOf(expert));
        tokensIn = group.counter(Name.NUM_TOKENS_IN.text);
        Counter first = group.counter(Name.NUM_TOKENS_EXECUTED.text);
        Counter rerouted = group.counter(Name.NUM_TOKENS_REROUTED.text);
        executed = round == 0 ? first : rerouted;
        overflowed = group.counter(Name.NUM_TOKENS_OVERFLOWED.text);
        passedOn = group.counter(Name.NUM_TOKENS_PASSED_ON.text);
        late = group.counter(Name.NUM_TOKENS_LATE.text);
        failed = group.counter(Name.NUM_TOKENS_FAILED.text);
        batchSize = MoeMetrics.histogram(group, Name.BATCH_SIZE);
        inferenceTime = MoeMetrics.histogram(group, Name.INFERENCE_TIME_US);
        queueTime = MoeMetrics.histogram(group, Name.QUEUE_TIME_US);
    }

    /** Reports what waits, beside the tokens in state, for a call. */
    void waiting(IntSupplier forCall) {
        Gauge<Long> gauge = () -> held.getCount() + forCall.getAsInt();
        group.gauge(Name.TOKENS_WAITING.text, gauge);
    }

    /** Tokens left the state. */
    void released(int tokens) {
        held.dec(Math.min(tokens, held.getCount()));
    }
}
