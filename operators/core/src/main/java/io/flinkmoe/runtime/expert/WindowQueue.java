package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Candidate;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.WindowCounters;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.State;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * The rows of an expert that wait for the close of their window, and who of them finds room then.
 *
 * <p>In keyed state, per expert and window: the blocks as they came, split by window, and what the
 * room follows from: T, the tokens that the routers have counted, or what the round before has
 * left. At the close all rows are sorted by {@link io.flinkmoe.capacity.AdmissionOrder}, then
 * timestamp, stream and position, and the first C are admitted. All methods speak of the current
 * key.
 */
@Internal
final class WindowQueue {

    private static final int[] NONE_LATE = {};
    private static final ListStateDescriptor<DispatchBlock> HELD =
            new ListStateDescriptor<>("held-rows", new DispatchBlock.Serializer());
    private static final ValueStateDescriptor<Integer> TOKENS =
            new ValueStateDescriptor<>("window-tokens", IntSerializer.INSTANCE);
    private static final ValueStateDescriptor<Integer> REMAINING =
            new ValueStateDescriptor<>("remaining-capacity", IntSerializer.INSTANCE);

    private final AbstractStreamOperator<?> operator;
    private final Capacity capacity;
    private final WindowCounters counters;
    private final int numExperts;
    private final int topK;
    private final Comparator<Row> order;

    /**
     * The decisions on the rows of a window.
     *
     * @param verdicts one per block
     * @param remaining capacity that is left for the next round
     */
    record Close(List<Verdict> verdicts, int remaining) {}

    /** A row that waits: {@code row} of the block at {@code blockIndex} in the state. */
    private record Row(int blockIndex, DispatchBlock block, int row, Candidate candidate) {
        long timestamp() {
            return block.timestamps()[row];
        }

        String stream() {
            return block.priorities().streams()[row];
        }

        long position() {
            return block.priorities().positions()[row];
        }

        int choice() {
            return block.choices()[row];
        }
    }

    /**
     * @param counters whose timers close the windows
     * @param numExperts N
     * @param topK k
     */
    WindowQueue(
            AbstractStreamOperator<?> operator,
            Capacity capacity,
            WindowCounters counters,
            int numExperts,
            int topK) {
        this.operator = operator;
        this.capacity = capacity;
        this.counters = counters;
        this.numExperts = numExperts;
        this.topK = topK;
        // A token that came twice is one stream's, thus one lane's: its batch tells which was
        // first.
        this.order =
                Comparator.comparing(Row::candidate, capacity.order())
                        .thenComparingLong(Row::timestamp)
                        .thenComparing(Row::stream)
                        .thenComparingLong(Row::position)
                        .thenComparingLong(row -> row.block().batch())
                        .thenComparingInt(Row::choice);
    }

    /** Keeps rows of a block, ascending, until their windows close. */
    void hold(DispatchBlock block, int[] rows) throws Exception {
        long[] timestamps = block.timestamps();
        for (int[] own : RowGroups.of(rows, row -> capacity.windows().startOf(timestamps[row]))) {
            long start = capacity.windows().startOf(timestamps[own[0]]);
            state(start, HELD).add(block.select(own));
            counters.open(start);
        }
    }

    /** Adds to T of a window. */
    void addTokens(WindowTokens count) throws Exception {
        ValueState<Integer> state = state(count.windowStart(), TOKENS);
        Integer before = state.value();
        state.update(before == null ? count.tokens() : before + count.tokens());
        counters.open(count.windowStart());
    }

    /** Takes the room that the round before has left in a window. */
    void setRemaining(RemainingCapacity left) throws Exception {
        state(left.windowStart(), REMAINING).update(left.remaining());
        counters.open(left.windowStart());
    }

    /** Decides over all rows of a window, and forgets it. */
    Close close(long windowStart) throws Exception {
        ListState<DispatchBlock> held = state(windowStart, HELD);
        List<DispatchBlock> blocks = new ArrayList<>();
        Iterable<DispatchBlock> inState = held.get();
        if (inState != null) {
            inState.forEach(blocks::add);
        }
        held.clear();
        boolean weighed = capacity.weighing() == WeightRule.WINDOW;
        return decide(weighed ? shared(blocks) : blocks, takeRemaining(windowStart));
    }

    private int takeRemaining(long windowStart) throws Exception {
        Integer left = take(windowStart, REMAINING);
        Integer tokens = take(windowStart, TOKENS);
        return left != null
                ? left
                : capacity.formula().capacity(tokens == null ? 0 : tokens, numExperts, topK);
    }

    private Integer take(long windowStart, ValueStateDescriptor<Integer> descriptor)
            throws Exception {
        ValueState<Integer> state = state(windowStart, descriptor);
        Integer value = state.value();
        state.clear();
        return value;
    }

    private Close decide(List<DispatchBlock> blocks, int remaining) {
        List<Row> rows = new ArrayList<>();
        List<boolean[]> admitted = new ArrayList<>();
        for (DispatchBlock block : blocks) {
            for (int row = 0; row < block.rows(); row++) {
                int rank = block.choices()[row] % topK;
                Candidate candidate = block.priorities().candidate(row, rank, block.attempt());
                rows.add(new Row(admitted.size(), block, row, candidate));
            }
            admitted.add(new boolean[block.rows()]);
        }
        rows.sort(order);
        int admittedRows = Math.min(remaining, rows.size());
        for (Row row : rows.subList(0, admittedRows)) {
            admitted.get(row.blockIndex())[row.row()] = true;
        }
        List<Verdict> verdicts = new ArrayList<>();
        for (int i = 0; i < blocks.size(); i++) {
            boolean[] ofBlock = admitted.get(i);
            verdicts.add(
                    new Verdict(
                            blocks.get(i), where(ofBlock, true), where(ofBlock, false), NONE_LATE));
        }
        return new Close(verdicts, remaining - admittedRows);
    }

    /**
     * The blocks with the softmax over all rows for scores, which were logits. It is summed up in
     * order of the logits, not of arrival.
     */
    private static List<DispatchBlock> shared(List<DispatchBlock> blocks) {
        int count = 0;
        for (DispatchBlock block : blocks) {
            count += block.rows();
        }
        float[] logits = new float[count];
        int at = 0;
        for (DispatchBlock block : blocks) {
            System.arraycopy(block.priorities().scores(), 0, logits, at, block.rows());
            at += block.rows();
        }
        Arrays.sort(logits);
        float[] shares = Scores.of(ScoringFunc.SOFTMAX, logits, Math.max(1, count));
        List<DispatchBlock> shared = new ArrayList<>();
        for (DispatchBlock block : blocks) {
            float[] ofBlock = new float[block.rows()];
            for (int row = 0; row < ofBlock.length; row++) {
                float logit = block.priorities().scores()[row];
                ofBlock[row] = shares[Arrays.binarySearch(logits, logit)];
            }
            shared.add(block.withScores(ofBlock));
        }
        return shared;
    }

    private static int[] where(boolean[] flags, boolean wanted) {
        int[] rows = new int[flags.length];
        int count = 0;
        for (int row = 0; row < flags.length; row++) {
            if (flags[row] == wanted) {
                rows[count++] = row;
            }
        }
        return Arrays.copyOf(rows, count);
    }

    private <S extends State> S state(long windowStart, StateDescriptor<S, ?> descriptor)
            throws Exception {
        KeyedStateBackend<Integer> backend = operator.getKeyedStateBackend();
        return backend.getPartitionedState(windowStart, LongSerializer.INSTANCE, descriptor);
    }
}
