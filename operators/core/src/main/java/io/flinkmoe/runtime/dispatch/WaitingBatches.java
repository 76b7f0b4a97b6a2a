// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.dispatch.BatchChange.Arrived;
import io.flinkmoe.runtime.dispatch.BatchChange.Decided;
import io.flinkmoe.runtime.dispatch.BatchChange.Left;
import io.flinkmoe.runtime.shared.LaneProgress;
import io.flinkmoe.runtime.shared.NumberedState;
import io.flinkmoe.runtime.shared.WaitingTokens;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * The batches that wait in the dispatch, in keyed state by lane and batch number. The vectors are
 * written once. What happens to a batch is appended to a list without vectors, which is all that a
 * restart reads. All methods refer to the operator's current key.
 */
@Internal
final class WaitingBatches {

    private static final ValueStateDescriptor<RoutedBlock> VECTORS =
            new ValueStateDescriptor<>("vectors", new RoutedBlock.Serializer());
    private static final ListStateDescriptor<BatchChange> CHOICES =
            new ListStateDescriptor<>("choices", new BatchChange.Serializer());

    private final AbstractStreamOperator<?> operator;
    private final NumberedState state;

    // A batch that leaves in parts is read once.
    private RoutedBlock last;
    private Object keyOfLast;

    WaitingBatches(AbstractStreamOperator<?> operator) {
        this.operator = operator;
        this.state = new NumberedState(operator);
    }

    /** Returns the keys and numbers of all batches of the subtask. */
    List<Tuple2<Integer, Long>> all() throws Exception {
        return state.all(CHOICES);
    }

    /**
     * Adds a batch to the progress of its lane, as it was when the state was written.
     *
     * @return the number of its tokens that wait
     */
    int restore(long batch, LaneProgress progress) throws Exception {
        WaitingTokens tokens = null;
        boolean[] left = null;
        for (BatchChange change : changes(batch)) {
            if (change instanceof Arrived arrived) {
                tokens = arrived.tokens();
                left = new boolean[tokens.rows()];
            }
        }
        int waiting = tokens == null ? 0 : tokens.rows();
        for (BatchChange change : changes(batch)) {
            if (change instanceof Decided decided) {
                progress.addResults(batch, decided.decisions().choices());
            } else if (change instanceof Left rows) {
                for (int row : rows.rows()) {
                    left[row] = true;
                }
                waiting -= rows.rows().length;
            }
        }
        if (tokens != null) {
            progress.addTokens(batch, tokens, left);
        }
        return waiting;
    }

    /** Adds the vectors of a batch. */
    void add(RoutedBlock block, WaitingTokens tokens) throws Exception {
        vectors(block.batch()).update(block);
        choices(block.batch()).add(new Arrived(tokens));
    }

    /** Adds decisions, which may come before the vectors. */
    void add(DecisionBlock.OfBatch decisions) throws Exception {
        choices(decisions.batch()).add(new Decided(decisions));
        if (isLast(decisions.batch())) {
            last = null;
        }
    }

    /** Returns a batch with all that is decided about its choices. */
    RoutedBlock get(long batch) throws Exception {
        if (!isLast(batch)) {
            last = read(batch);
            keyOfLast = operator.getCurrentKey();
        }
        return last;
    }

    private boolean isLast(long batch) {
        return last != null && last.batch() == batch && operator.getCurrentKey().equals(keyOfLast);
    }

    private RoutedBlock read(long batch) throws Exception {
        RoutedBlock block = vectors(batch).value();
        Choices routed = block.choices();
        byte[] outcomes = routed.outcomes().clone();
        byte[] attempts = routed.attempts().clone();
        float[] weights = routed.weights();
        for (BatchChange change : changes(batch)) {
            if (change instanceof Decided decided) {
                DecisionBlock.OfBatch decisions = decided.decisions();
                if (decisions.weights().length > 0 && weights == routed.weights()) {
                    weights = weights.clone();
                }
                for (int i = 0; i < decisions.choices().length; i++) {
                    int choice = decisions.choices()[i];
                    outcomes[choice] = decisions.outcomes()[i];
                    attempts[choice] = (byte) decisions.attempt();
                    if (decisions.weights().length > 0) {
                        weights[routed.at(choice, decisions.attempt())] = decisions.weights()[i];
                    }
                }
            }
        }
        return new RoutedBlock(
                batch,
                block.tokens(),
                routed.decided(weights, outcomes, attempts),
                block.scales(),
                block.hidden());
    }

    /** Removes tokens that leave: their batch, if no token of it waits any longer. */
    void remove(LaneProgress.ReadyRows leaving) throws Exception {
        long batch = leaving.batch();
        if (!leaving.areLast()) {
            choices(batch).add(new Left(leaving.rows()));
            return;
        }
        last = null;
        vectors(batch).clear();
        choices(batch).clear();
        if (!leaving.first()) {
            choices(batch).add(new Arrived(WaitingTokens.NONE));
        }
    }

    private Iterable<BatchChange> changes(long batch) throws Exception {
        return state.entries(batch, CHOICES);
    }

    private ValueState<RoutedBlock> vectors(long batch) throws Exception {
        return state.of(batch, VECTORS);
    }

    private ListState<BatchChange> choices(long batch) throws Exception {
        return state.of(batch, CHOICES);
    }
}
