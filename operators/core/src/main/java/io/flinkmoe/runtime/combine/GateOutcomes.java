// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.GateRanks;
import io.flinkmoe.runtime.shared.SummaryOutput;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.array.LongPrimitiveArraySerializer;

/**
 * Counts the outcomes of the choices of each of several gates per window and lane. The combine
 * chooses {@link #NONE} or {@link InState}. All methods refer to the current key.
 */
@Internal
interface GateOutcomes {

    /** Counts nothing: there is one gate, or there are no windows. */
    GateOutcomes NONE =
            new GateOutcomes() {
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
    final class InState implements GateOutcomes {

        private static final MapStateDescriptor<Long, long[]> DESCRIPTOR =
                new MapStateDescriptor<>(
                        "gate-counts",
                        LongSerializer.INSTANCE,
                        LongPrimitiveArraySerializer.INSTANCE);

        private static final Outcome[] OUTCOMES = Outcome.values();

        private final MapState<Long, long[]> state;
        private final Windows windows;
        private final SummaryOutput summaries;

        /**
         * @param summaries receives the counts
         */
        InState(RuntimeContext context, Windows windows, SummaryOutput summaries) {
            this.state = context.getMapState(DESCRIPTOR);
            this.windows = windows;
            this.summaries = summaries;
        }

        @Override
        public void count(long[] timestamps, Choices choices) throws Exception {
            GateRanks gates = choices.gates();
            long window = 0;
            long[] counts = null;
            for (int row = 0; row < timestamps.length; row++) {
                long start = windows.startOf(timestamps[row]);
                if (counts == null || start != window) {
                    if (counts != null) {
                        state.put(window, counts);
                    }
                    window = start;
                    counts = copy(state.get(start), gates.sizes().length);
                }
                count(choices, row, counts);
            }
            if (counts != null) {
                state.put(window, counts);
            }
        }

        private static void count(Choices choices, int row, long[] counts) {
            GateRanks gates = choices.gates();
            byte first = choices.outcomes()[row * choices.k()];
            boolean isRouted = choices.experts()[row * choices.ranks()] >= 0;
            int rank = row * gates.sum();
            for (int gate = 0; gate < gates.sizes().length; gate++) {
                if (!isRouted && first != Outcome.NO_CHOICE) {
                    // All that the gate would have chosen.
                    counts[gate * OUTCOMES.length + first] += gates.sizes()[gate];
                    continue;
                }
                for (int i = 0; i < gates.sizes()[gate]; i++, rank++) {
                    int place = gates.places()[rank];
                    if (place >= 0) {
                        byte outcome = choices.outcomes()[row * choices.k() + place];
                        counts[gate * OUTCOMES.length + outcome]++;
                    }
                }
            }
        }

        /** A state on the heap must not change while a checkpoint writes it. */
        private static long[] copy(long[] inState, int gates) {
            return inState == null ? new long[gates * OUTCOMES.length] : inState.clone();
        }

        @Override
        public void close(long windowStart, int lane, long lastTimestamp) throws Exception {
            long[] counts = state.get(windowStart);
            if (counts == null) {
                return;
            }
            state.remove(windowStart);
            for (int gate = 0; gate < counts.length / OUTCOMES.length; gate++) {
                WindowCounts ofGate = WindowCounts.EMPTY;
                for (Outcome outcome : OUTCOMES) {
                    ofGate = ofGate.plus(outcome, counts[gate * OUTCOMES.length + outcome.code()]);
                }
                summaries.emitGate(windowStart, gate, lane, ofGate, lastTimestamp);
            }
        }
    }
}
