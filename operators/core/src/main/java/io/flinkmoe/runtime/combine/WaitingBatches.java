// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.shared.LaneProgress;
import io.flinkmoe.runtime.shared.NumberedState;
import io.flinkmoe.runtime.shared.WaitingTokens;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.array.BooleanPrimitiveArraySerializer;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * The batches that wait in the combine, in keyed state by lane and batch number. All methods refer
 * to the operator's current key.
 */
@Internal
final class WaitingBatches {

    private static final ValueStateDescriptor<RoutedBlock> RESIDUALS =
            new ValueStateDescriptor<>("residuals", new RoutedBlock.Serializer());
    private static final ListStateDescriptor<ContributionBlock> CONTRIBUTIONS =
            new ListStateDescriptor<>("contributions", new ContributionBlock.Serializer());
    private static final ValueStateDescriptor<boolean[]> EMITTED =
            new ValueStateDescriptor<>("emitted", BooleanPrimitiveArraySerializer.INSTANCE);

    private final NumberedState state;

    WaitingBatches(AbstractStreamOperator<?> operator) {
        this.state = new NumberedState(operator);
    }

    /** Returns the keys and numbers of all batches of the subtask. */
    Set<Tuple2<Integer, Long>> all() throws Exception {
        Set<Tuple2<Integer, Long>> batches = new LinkedHashSet<>();
        batches.addAll(state.all(RESIDUALS));
        batches.addAll(state.all(CONTRIBUTIONS));
        batches.addAll(state.all(EMITTED));
        return batches;
    }

    /**
     * Adds a batch to the progress of its lane, as it was when the state was written.
     *
     * @return the number of its tokens that wait
     */
    int restore(long batch, LaneProgress progress) throws Exception {
        RoutedBlock block = residuals(batch);
        boolean[] emitted = emitted(batch).value();
        int waiting = 0;
        if (block != null) {
            progress.addTokens(batch, WaitingTokens.of(block), emitted);
            waiting = block.tokens().rows() - countTrue(emitted);
        } else if (emitted != null) {
            progress.addTokens(batch, WaitingTokens.NONE, null);
        }
        for (ContributionBlock results : results(batch)) {
            progress.addResults(batch, results.choices());
        }
        return waiting;
    }

    private static int countTrue(boolean[] flags) {
        int count = 0;
        for (int i = 0; flags != null && i < flags.length; i++) {
            count += flags[i] ? 1 : 0;
        }
        return count;
    }

    /** Adds the residuals of a batch. */
    void add(RoutedBlock block) throws Exception {
        state.of(block.batch(), RESIDUALS).update(block);
    }

    /** Adds results, which may come before the residuals. */
    void add(ContributionBlock block) throws Exception {
        state.of(block.batch(), CONTRIBUTIONS).add(block);
    }

    /** The residuals of a batch; null if they have not arrived. */
    RoutedBlock residuals(long batch) throws Exception {
        return state.of(batch, RESIDUALS).value();
    }

    /** The results for a batch so far. */
    Iterable<ContributionBlock> results(long batch) throws Exception {
        return state.entries(batch, CONTRIBUTIONS);
    }

    /** Removes what is no longer needed after tokens have been emitted. */
    void remove(LaneProgress.ReadyRows ready) throws Exception {
        long batch = ready.batch();
        if (ready.areLast()) {
            state.of(batch, RESIDUALS).clear();
            state.of(batch, CONTRIBUTIONS).clear();
        }
        if (ready.first()) {
            emitted(batch).clear();
        } else {
            emitted(batch).update(ready.emitted());
        }
    }

    private ValueState<boolean[]> emitted(long batch) throws Exception {
        return state.of(batch, EMITTED);
    }
}
