// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.AdmissionInputSerializer;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.shared.EvenKeys;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Decisions at the close of a window that are not sent yet. One expert's decisions about one window
 * are in here at a time. A checkpoint writes those that are left to keyed state.
 */
@Internal
final class Outbox {

    /** The approximate maximum size of a record, and of what one slice sends. */
    private static final int MAX_BYTES = 1 << 20;

    private static final ListStateDescriptor<DecisionBlock> DECISIONS =
            new ListStateDescriptor<>("unsent-decisions", new DecisionBlock.Serializer());
    private static final ListStateDescriptor<AdmissionInput> NEXT_ROUND =
            new ListStateDescriptor<>("unsent-next-round", new AdmissionInputSerializer());

    private final AbstractStreamOperator<?> operator;
    private final EvenKeys keys;
    private final Output<StreamRecord<DecisionBlock>> output;
    private final ListState<DecisionBlock> decisionsInState;
    private final ListState<AdmissionInput> nextRoundInState;
    private final Deque<Unsent<DecisionBlock>> decisions = new ArrayDeque<>();
    private final Deque<Unsent<AdmissionInput>> nextRound = new ArrayDeque<>();

    /** The experts that have entries in the state. */
    private final Set<Integer> written = new HashSet<>();

    /** A record of one expert. */
    private record Unsent<T>(int expert, T record, int bytes) {}

    /**
     * Reads what is in the state.
     *
     * @param owned the experts that the subtask owns
     */
    Outbox(
            AbstractStreamOperator<?> operator,
            EvenKeys keys,
            int[] owned,
            Output<StreamRecord<DecisionBlock>> output)
            throws Exception {
        this.operator = operator;
        this.keys = keys;
        this.output = output;
        this.decisionsInState = operator.getRuntimeContext().getListState(DECISIONS);
        this.nextRoundInState = operator.getRuntimeContext().getListState(NEXT_ROUND);
        for (int expert : owned) {
            operator.setCurrentKey(keys.keyOf(expert));
            for (DecisionBlock block : decisionsInState.get()) {
                decisions.add(new Unsent<>(expert, block, MAX_BYTES));
                written.add(expert);
            }
            for (AdmissionInput input : nextRoundInState.get()) {
                nextRound.add(new Unsent<>(expert, input, MAX_BYTES));
                written.add(expert);
            }
        }
    }

    boolean isEmpty() {
        return decisions.isEmpty() && nextRound.isEmpty();
    }

    /** Adds the decisions of an expert about a window. */
    void add(int expert, Decisions made) {
        for (Map.Entry<Integer, List<DecisionBlock.OfBatch>> lane : made.byLane().entrySet()) {
            List<DecisionBlock.OfBatch> some = new ArrayList<>();
            int bytes = 0;
            for (DecisionBlock.OfBatch ofBatch : lane.getValue()) {
                if (bytes > 0 && bytes + ofBatch.bytes() > MAX_BYTES) {
                    decisions.add(new Unsent<>(expert, block(lane.getKey(), some), bytes));
                    some.clear();
                    bytes = 0;
                }
                some.add(ofBatch);
                bytes += ofBatch.bytes();
            }
            decisions.add(new Unsent<>(expert, block(lane.getKey(), some), bytes));
        }
        for (CandidateBlock block : made.passedOn()) {
            add(expert, block);
        }
    }

    /** Adds a record for the next round. */
    void add(int expert, AdmissionInput input) {
        nextRound.add(new Unsent<>(expert, input, MAX_BYTES / 16));
    }

    /** Sends some records: at least one, but together not more than the maximum size of one. */
    void sendSome() {
        int bytes = 0;
        while (fits(bytes, decisions.peek())) {
            bytes += decisions.peek().bytes();
            output.collect(new StreamRecord<>(decisions.poll().record()));
        }
        while (fits(bytes, nextRound.peek())) {
            bytes += nextRound.peek().bytes();
            output.collect(
                    AdmissionInputSerializer.OUTPUT, new StreamRecord<>(nextRound.poll().record()));
        }
    }

    private static boolean fits(int bytes, Unsent<?> next) {
        return next != null && (bytes == 0 || bytes + next.bytes() <= MAX_BYTES);
    }

    /** Sends decisions that were made when a block arrived. */
    void send(Decisions made) {
        made.byLane()
                .forEach(
                        (lane, batches) ->
                                output.collect(new StreamRecord<>(block(lane, batches))));
        for (CandidateBlock block : made.passedOn()) {
            output.collect(AdmissionInputSerializer.OUTPUT, new StreamRecord<>(block));
        }
    }

    private static DecisionBlock block(int lane, List<DecisionBlock.OfBatch> batches) {
        return new DecisionBlock(lane, batches.toArray(new DecisionBlock.OfBatch[0]));
    }

    /** Writes what is not sent. Call it from {@code snapshotState}. */
    void snapshot() throws Exception {
        for (int expert : written) {
            operator.setCurrentKey(keys.keyOf(expert));
            decisionsInState.clear();
            nextRoundInState.clear();
        }
        written.clear();
        for (Unsent<DecisionBlock> unsent : decisions) {
            operator.setCurrentKey(keys.keyOf(unsent.expert()));
            decisionsInState.add(unsent.record());
            written.add(unsent.expert());
        }
        for (Unsent<AdmissionInput> unsent : nextRound) {
            operator.setCurrentKey(keys.keyOf(unsent.expert()));
            nextRoundInState.add(unsent.record());
            written.add(unsent.expert());
        }
    }
}
