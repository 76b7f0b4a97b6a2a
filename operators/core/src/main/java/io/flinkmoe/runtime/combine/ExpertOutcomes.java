// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.shared.SummaryOutput;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.array.LongPrimitiveArraySerializer;

/**
 * Counts the executed, rerouted and failed choices of each expert per window and lane. The combine
 * chooses {@link #NONE} or {@link InState}. All methods refer to the current key.
 */
@Internal
interface ExpertOutcomes {

    /** Counts nothing: without a capacity there are no windows. */
    ExpertOutcomes NONE =
            new ExpertOutcomes() {
                @Override
                public void count(long[] timestamps, Choices choices) {}

                @Override
                public void close(long windowStart, int lane, long lastTimestamp) {}
            };

    /**
     * Counts the choices of T tokens.
     *
     * @param timestamps [T]
     * @param choices the choices [T, k] with their final outcomes
     */
    void count(long[] timestamps, Choices choices) throws Exception;

    /**
     * Emits and removes the counts of a window that has closed.
     *
     * @param lane the lane of the current key
     * @param lastTimestamp the last timestamp of the window
     */
    void close(long windowStart, int lane, long lastTimestamp) throws Exception;

    /** Keeps the counts in keyed state. */
    final class InState implements ExpertOutcomes {

        private static final MapStateDescriptor<Long, long[]> DESCRIPTOR =
                new MapStateDescriptor<>(
                        "expert-counts",
                        LongSerializer.INSTANCE,
                        LongPrimitiveArraySerializer.INSTANCE);

        /** The outcomes that a choice has only after an expert has admitted it. */
        private static final int EXECUTED = 0;

        private static final int REROUTED = 1;
        private static final int FAILED = 2;
        private static final int OUTCOMES = 3;

        private final MapState<Long, long[]> state;
        private final Windows windows;
        private final int numExperts;
        private final SummaryOutput summaries;

        /**
         * @param numExperts N
         * @param summaries receives the counts
         */
        InState(RuntimeContext context, Windows windows, int numExperts, SummaryOutput summaries) {
            this.state = context.getMapState(DESCRIPTOR);
            this.windows = windows;
            this.numExperts = numExperts;
            this.summaries = summaries;
        }

        @Override
        public void count(long[] timestamps, Choices choices) throws Exception {
            long window = 0;
            long[] counts = null;
            for (int choice = 0; choice < choices.outcomes().length; choice++) {
                int column = column(choices.outcomes()[choice]);
                int expert = choices.experts()[choices.finalAt(choice)];
                if (column < 0 || expert < 0) {
                    continue; // No expert has seen the choice.
                }
                long start = windows.startOf(timestamps[choice / choices.k()]);
                if (counts == null || start != window) {
                    if (counts != null) {
                        state.put(window, counts);
                    }
                    window = start;
                    counts = copy(state.get(start));
                }
                counts[expert * OUTCOMES + column]++;
            }
            if (counts != null) {
                state.put(window, counts);
            }
        }

        /** A state on the heap must not change while a checkpoint writes it. */
        private long[] copy(long[] inState) {
            return inState == null ? new long[numExperts * OUTCOMES] : inState.clone();
        }

        private static int column(byte outcome) {
            if (outcome == Outcome.NO_CHOICE) {
                return -1;
            }
            return switch (Outcome.ofCode(outcome)) {
                case EXECUTED -> EXECUTED;
                case REROUTED -> REROUTED;
                case FAILED -> FAILED;
                case OVERFLOWED, LATE -> -1;
            };
        }

        @Override
        public void close(long windowStart, int lane, long lastTimestamp) throws Exception {
            long[] counts = state.get(windowStart);
            if (counts == null) {
                return;
            }
            state.remove(windowStart);
            for (int expert = 0; expert < numExperts; expert++) {
                int at = expert * OUTCOMES;
                WindowCounts ofExpert =
                        WindowCounts.EMPTY
                                .plus(Outcome.EXECUTED, counts[at + EXECUTED])
                                .plus(Outcome.REROUTED, counts[at + REROUTED])
                                .plus(Outcome.FAILED, counts[at + FAILED]);
                summaries.emit(windowStart, expert, lane, ofExpert, lastTimestamp);
            }
        }
    }
}
