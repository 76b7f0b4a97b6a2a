// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.shared.SummaryOutput;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.RuntimeContext;

/** Counts the executed, rerouted and failed choices of each expert. */
@Internal
final class ExpertOutcomes implements WindowOutcomes {

    /** The outcomes that a choice has only after an expert has admitted it. */
    private static final int EXECUTED = 0;

    private static final int REROUTED = 1;
    private static final int FAILED = 2;
    private static final int OUTCOMES = 3;

    private final CountsOfWindows counts;
    private final SummaryOutput summaries;

    /**
     * @param numExperts N
     * @param summaries receives the counts
     */
    ExpertOutcomes(
            RuntimeContext context, Windows windows, int numExperts, SummaryOutput summaries) {
        this.counts = new CountsOfWindows(context, "expert-counts", windows, numExperts * OUTCOMES);
        this.summaries = summaries;
    }

    @Override
    public void count(long[] timestamps, Choices choices) throws Exception {
        for (int choice = 0; choice < choices.outcomes().length; choice++) {
            int column = column(choices.outcomes()[choice]);
            int expert = choices.experts()[choices.finalAt(choice)];
            if (column >= 0 && expert >= 0) { // Else no expert has seen the choice.
                counts.at(timestamps[choice / choices.k()])[expert * OUTCOMES + column]++;
            }
        }
        counts.save();
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
        long[] closed = counts.remove(windowStart);
        for (int at = 0; closed != null && at < closed.length; at += OUTCOMES) {
            WindowCounts ofExpert =
                    WindowCounts.EMPTY
                            .plus(Outcome.EXECUTED, closed[at + EXECUTED])
                            .plus(Outcome.REROUTED, closed[at + REROUTED])
                            .plus(Outcome.FAILED, closed[at + FAILED]);
            summaries.emit(windowStart, at / OUTCOMES, lane, ofExpert, lastTimestamp);
        }
    }
}
