// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Candidate;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.ExpertAdmission;
import io.flinkmoe.capacity.WindowSoftmax;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import java.util.ArrayList;
import java.util.Arrays;
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
 * The rows of an expert that wait for the close of their window.
 *
 * <p>The keyed state holds, per expert and window, the blocks as they arrived, split by window, and
 * either T, the number of tokens that the routers reported, or the capacity that the previous round
 * left. At the close, {@link ExpertAdmission} decides on all rows. All methods refer to the current
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
    private final int numExperts;
    private final int topK;

    /**
     * The decisions on the rows of a window.
     *
     * @param decisions one per block
     * @param remaining the capacity that is left for the next round
     */
    record Close(List<RowDecisions> decisions, int remaining) {}

    /**
     * @param numExperts N
     * @param topK k
     */
    WindowQueue(AbstractStreamOperator<?> operator, Capacity capacity, int numExperts, int topK) {
        this.operator = operator;
        this.capacity = capacity;
        this.numExperts = numExperts;
        this.topK = topK;
    }

    /** Keeps rows of one window until the window closes. */
    void hold(long windowStart, DispatchBlock rows) throws Exception {
        state(windowStart, HELD).add(rows);
    }

    /** Adds to T, the number of tokens of a window. */
    void addTokens(WindowTokens count) throws Exception {
        ValueState<Integer> state = state(count.windowStart(), TOKENS);
        Integer before = state.value();
        state.update(before == null ? count.tokens() : before + count.tokens());
    }

    /** Sets the capacity that the previous round left in a window. */
    void setRemaining(RemainingCapacity left) throws Exception {
        state(left.windowStart(), REMAINING).update(left.remaining());
    }

    /** Decides on all rows of a window and removes it from the state. */
    Close close(long windowStart, int round) throws Exception {
        ListState<DispatchBlock> held = state(windowStart, HELD);
        List<DispatchBlock> blocks = new ArrayList<>();
        Iterable<DispatchBlock> inState = held.get();
        if (inState != null) {
            inState.forEach(blocks::add);
        }
        held.clear();
        boolean shares = capacity.weightRule().usesWindowShares();
        return decide(shares ? withShares(blocks) : blocks, takeRemaining(windowStart), round);
    }

    private int takeRemaining(long windowStart) throws Exception {
        Integer left = take(windowStart, REMAINING);
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

    private Close decide(List<DispatchBlock> blocks, int remaining, int round) {
        Candidate[] candidates = new Candidate[rows(blocks)];
        int index = 0;
        for (DispatchBlock block : blocks) {
            for (int row = 0; row < block.rows(); row++) {
                candidates[index] = block.candidate(row, topK, index);
                index++;
            }
        }
        ExpertAdmission admission = capacity.admit(candidates, remaining, round);
        boolean[] admitted = admission.flags(candidates.length);
        List<RowDecisions> decisions = new ArrayList<>();
        int from = 0;
        for (DispatchBlock block : blocks) {
            int to = from + block.rows();
            decisions.add(
                    new RowDecisions(
                            block,
                            indexesOf(admitted, from, to, true),
                            indexesOf(admitted, from, to, false),
                            NONE_LATE));
            from = to;
        }
        return new Close(decisions, admission.remaining());
    }

    /** Replaces the scores of the blocks, which are logits, with their softmax over all rows. */
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

    /**
     * Returns the indexes from {@code from} to {@code to} whose flag is {@code wanted}, relative to
     * {@code from}.
     */
    private static int[] indexesOf(boolean[] flags, int from, int to, boolean wanted) {
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
