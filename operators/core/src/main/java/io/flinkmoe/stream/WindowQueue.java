package io.flinkmoe.stream;

import io.flinkmoe.capacity.Candidate;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.ExpertAdmission;
import io.flinkmoe.capacity.WindowSoftmax;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
 * left. At the close {@link ExpertAdmission} decides over all rows. All methods speak of the
 * current key.
 */
final class WindowQueue {

    private static final ListStateDescriptor<DispatchBlock> HELD =
            new ListStateDescriptor<>("held-rows", new DispatchBlock.Serializer());
    private static final ValueStateDescriptor<Integer> TOKENS =
            new ValueStateDescriptor<>("window-tokens", IntSerializer.INSTANCE);
    private static final ValueStateDescriptor<Integer> ROOM =
            new ValueStateDescriptor<>("window-room", IntSerializer.INSTANCE);

    private final AbstractStreamOperator<?> operator;
    private final Capacity capacity;
    private final WindowAccounts accounts;
    private final int numExperts;
    private final int topK;

    /**
     * What became of the rows of a window.
     *
     * @param blocks what was decided of the rows of each block
     * @param roomLeft for the next round
     */
    record Close(List<Decision> blocks, int roomLeft) {}

    /**
     * What becomes of the rows of one block.
     *
     * @param admitted rows that find room, ascending
     * @param refused the other rows, ascending
     */
    record Decision(DispatchBlock block, int[] admitted, int[] refused) {}

    /**
     * @param accounts whose timers close the windows
     * @param numExperts N
     * @param topK k
     */
    WindowQueue(
            AbstractStreamOperator<?> operator,
            Capacity capacity,
            WindowAccounts accounts,
            int numExperts,
            int topK) {
        this.operator = operator;
        this.capacity = capacity;
        this.accounts = accounts;
        this.numExperts = numExperts;
        this.topK = topK;
    }

    /** Keeps rows of a block, ascending, until their windows close. */
    void hold(DispatchBlock block, int[] rows) throws Exception {
        long[] timestamps = block.timestamps();
        for (int[] own : RowGroups.of(rows, row -> capacity.windows().startOf(timestamps[row]))) {
            long start = capacity.windows().startOf(timestamps[own[0]]);
            state(start, HELD).add(block.select(own));
            accounts.open(start);
        }
    }

    /** Adds to T of a window. */
    void addTokens(WindowTokens count) throws Exception {
        ValueState<Integer> state = state(count.windowStart(), TOKENS);
        Integer before = state.value();
        state.update(before == null ? count.tokens() : before + count.tokens());
        accounts.open(count.windowStart());
    }

    /** Takes the room that the round before has left in a window. */
    void setRoom(WindowRoom left) throws Exception {
        state(left.windowStart(), ROOM).update(left.room());
        accounts.open(left.windowStart());
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
        boolean shares = capacity.weighing().usesWindowShares();
        return decide(shares ? withShares(blocks) : blocks, takeRoom(windowStart));
    }

    private int takeRoom(long windowStart) throws Exception {
        Integer left = take(windowStart, ROOM);
        Integer tokens = take(windowStart, TOKENS);
        return left != null
                ? left
                : capacity.expertCapacity(tokens == null ? 0 : tokens, numExperts, topK);
    }

    private Integer take(long windowStart, ValueStateDescriptor<Integer> descriptor)
            throws Exception {
        ValueState<Integer> state = state(windowStart, descriptor);
        Integer value = state.value();
        state.clear();
        return value;
    }

    private Close decide(List<DispatchBlock> blocks, int remaining) {
        Candidate[] candidates = new Candidate[rows(blocks)];
        int index = 0;
        for (DispatchBlock block : blocks) {
            for (int row = 0; row < block.rows(); row++) {
                candidates[index] = block.candidate(row, topK, index);
                index++;
            }
        }
        ExpertAdmission admission =
                ExpertAdmission.inOrder(candidates, capacity.order(), remaining);
        boolean[] admitted = admission.flags(candidates.length);
        List<Decision> decisions = new ArrayList<>();
        int from = 0;
        for (DispatchBlock block : blocks) {
            int to = from + block.rows();
            decisions.add(
                    new Decision(
                            block,
                            where(admitted, from, to, true),
                            where(admitted, from, to, false)));
            from = to;
        }
        return new Close(decisions, admission.remaining());
    }

    /** The blocks with the softmax over all rows for scores, which were logits. */
    private static List<DispatchBlock> withShares(List<DispatchBlock> blocks) {
        float[] logits = new float[rows(blocks)];
        int at = 0;
        for (DispatchBlock block : blocks) {
            System.arraycopy(block.priorities().scores(), 0, logits, at, block.rows());
            at += block.rows();
        }
        float[] shares = WindowSoftmax.of(logits);
        List<DispatchBlock> shared = new ArrayList<>();
        int from = 0;
        for (DispatchBlock block : blocks) {
            int to = from + block.rows();
            shared.add(block.withScores(Arrays.copyOfRange(shares, from, to)));
            from = to;
        }
        return shared;
    }

    private static int rows(List<DispatchBlock> blocks) {
        int rows = 0;
        for (DispatchBlock block : blocks) {
            rows += block.rows();
        }
        return rows;
    }

    /** The places from {@code from} on whose flag is as wanted, counted from there. */
    private static int[] where(boolean[] flags, int from, int to, boolean wanted) {
        int[] rows = new int[to - from];
        int count = 0;
        for (int i = from; i < to; i++) {
            if (flags[i] == wanted) {
                rows[count++] = i - from;
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
