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

/** Counts the outcomes of the choices of each of several gates. */
@Internal
final class GateOutcomes implements WindowOutcomes {

    private static final Outcome[] OUTCOMES = Outcome.values();

    private final CountsOfWindows counts;
    private final SummaryOutput summaries;

    /**
     * @param numGates G
     * @param summaries receives the counts
     */
    GateOutcomes(RuntimeContext context, Windows windows, int numGates, SummaryOutput summaries) {
        this.counts =
                new CountsOfWindows(context, "gate-counts", windows, numGates * OUTCOMES.length);
        this.summaries = summaries;
    }

    @Override
    public void count(long[] timestamps, Choices choices) throws Exception {
        for (int row = 0; row < timestamps.length; row++) {
            count(choices, row, counts.at(timestamps[row]));
        }
        counts.save();
    }

    private static void count(Choices choices, int row, long[] ofWindow) {
        GateRanks gates = choices.gates();
        byte first = choices.outcomes()[row * choices.k()];
        boolean isRouted = choices.experts()[row * choices.ranks()] >= 0;
        int rank = row * gates.sum();
        for (int gate = 0; gate < gates.sizes().length; gate++) {
            if (!isRouted && first != Outcome.NO_CHOICE) {
                // All that the gate would have chosen.
                ofWindow[gate * OUTCOMES.length + first] += gates.sizes()[gate];
                continue;
            }
            for (int i = 0; i < gates.sizes()[gate]; i++, rank++) {
                int place = gates.places()[rank];
                if (place >= 0) {
                    byte outcome = choices.outcomes()[row * choices.k() + place];
                    ofWindow[gate * OUTCOMES.length + outcome]++;
                }
            }
        }
    }

    @Override
    public void close(long windowStart, int lane, long lastTimestamp) throws Exception {
        long[] closed = counts.remove(windowStart);
        for (int at = 0; closed != null && at < closed.length; at += OUTCOMES.length) {
            WindowCounts ofGate = WindowCounts.EMPTY;
            for (Outcome outcome : OUTCOMES) {
                ofGate = ofGate.plus(outcome, closed[at + outcome.code()]);
            }
            summaries.emitGate(windowStart, at / OUTCOMES.length, lane, ofGate, lastTimestamp);
        }
    }
}
