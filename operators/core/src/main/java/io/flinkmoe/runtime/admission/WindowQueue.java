// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.capacity.Candidate;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.ExpertAdmission;
import io.flinkmoe.capacity.WindowSoftmax;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.NumberedState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * The choices of an expert that wait for the close of their window.
 *
 * <p>The keyed state holds, per expert and window, the blocks as they arrived, split by window, and
 * either T, the number of tokens that the routers reported, or the capacity that the previous round
 * left. At the close, {@link ExpertAdmission} decides on all rows. All methods refer to the current
 * key.
 */
@Internal
final class WindowQueue {

    private static final float[] NONE = {};
    private static final ListStateDescriptor<CandidateBlock> HELD =
            new ListStateDescriptor<>("held-choices", new CandidateBlock.Serializer());
    private static final ValueStateDescriptor<Integer> TOKENS =
            new ValueStateDescriptor<>("window-tokens", IntSerializer.INSTANCE);
    private static final ValueStateDescriptor<Integer> REMAINING =
            new ValueStateDescriptor<>("remaining-capacity", IntSerializer.INSTANCE);

    private final NumberedState states;
    private final Capacity capacity;
    private final int numExperts;
    private final int topK;

    /**
     * @param numExperts N
     * @param topK k
     */
    WindowQueue(AbstractStreamOperator<?> operator, Capacity capacity, int numExperts, int topK) {
        this.states = new NumberedState(operator);
        this.capacity = capacity;
        this.numExperts = numExperts;
        this.topK = topK;
    }

    /** Keeps rows of one window until the window closes. */
    void hold(long windowStart, CandidateBlock rows) throws Exception {
        states.of(windowStart, HELD).add(rows);
    }

    /** Adds to T, the number of tokens of a window. */
    void addTokens(WindowTokens count) throws Exception {
        ValueState<Integer> state = states.of(count.windowStart(), TOKENS);
        Integer before = state.value();
        state.update(before == null ? count.tokens() : before + count.tokens());
    }

    /** Sets the capacity that the previous round left in a window. */
    void setRemaining(RemainingCapacity left) throws Exception {
        states.of(left.windowStart(), REMAINING).update(left.remaining());
    }

    /**
     * Decides on all choices of a window and removes them from the state.
     *
     * @return the capacity that is left for the next round; {@link AdmissionRule#NONE_ON_TIME} if
     *     the window had neither choices nor a report
     */
    int close(long windowStart, int round, Decisions decisions) throws Exception {
        List<CandidateBlock> blocks = new ArrayList<>();
        states.entries(windowStart, HELD).forEach(blocks::add);
        states.of(windowStart, HELD).clear();
        Integer left = take(windowStart, REMAINING);
        Integer tokens = take(windowStart, TOKENS);
        if (blocks.isEmpty() && left == null && tokens == null) {
            return AdmissionRule.NONE_ON_TIME;
        }
        int remaining =
                left != null
                        ? left
                        : capacity.expertCapacity(tokens == null ? 0 : tokens, numExperts, topK);
        return decide(blocks, remaining, round, decisions);
    }

    private Integer take(long windowStart, ValueStateDescriptor<Integer> descriptor)
            throws Exception {
        ValueState<Integer> state = states.of(windowStart, descriptor);
        Integer value = state.value();
        state.clear();
        return value;
    }

    private int decide(List<CandidateBlock> blocks, int remaining, int round, Decisions decisions)
            throws Exception {
        float[] shares =
                capacity.weightRule().usesWindowShares() ? WindowSoftmax.of(scores(blocks)) : NONE;
        boolean[] admitted = new boolean[rows(blocks)];
        int left = Math.max(0, remaining - admitted.length);
        if (admitted.length <= remaining) {
            Arrays.fill(admitted, true); // Whatever their order.
        } else {
            ExpertAdmission admission =
                    capacity.admit(candidates(blocks, shares), remaining, round);
            admitted = admission.flags(admitted.length);
            left = admission.remaining();
        }
        int index = 0;
        for (CandidateBlock block : blocks) {
            decisions.startBlock(block);
            for (int row = 0; row < block.rows(); row++) {
                if (!admitted[index]) {
                    decisions.refuse(row);
                } else if (shares.length == 0) {
                    decisions.admit(row);
                } else {
                    decisions.admit(row, shares[index]);
                }
                index++;
            }
            decisions.endBlock();
        }
        return left;
    }

    private Candidate[] candidates(List<CandidateBlock> blocks, float[] shares) {
        Candidate[] candidates = new Candidate[rows(blocks)];
        int index = 0;
        for (CandidateBlock block : blocks) {
            for (int row = 0; row < block.rows(); row++) {
                Candidate candidate = block.candidate(row, topK, index);
                candidates[index] =
                        shares.length == 0 ? candidate : candidate.withScore(shares[index]);
                index++;
            }
        }
        return candidates;
    }

    private static float[] scores(List<CandidateBlock> blocks) {
        float[] scores = new float[rows(blocks)];
        int at = 0;
        for (CandidateBlock block : blocks) {
            System.arraycopy(block.priorities().scores(), 0, scores, at, block.rows());
            at += block.rows();
        }
        return scores;
    }

    private static int rows(List<CandidateBlock> blocks) {
        int rows = 0;
        for (CandidateBlock block : blocks) {
            rows += block.rows();
        }
        return rows;
    }
}
