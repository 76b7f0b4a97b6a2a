// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.PublicEvolving;

/**
 * The choices of one window by outcome (a token of a top-k layer makes k choices). The counts of
 * several subtasks add up. For an expert, {@code asked = executed + overflowed + late + failed};
 * over a layer, {@code k·T = executed + rerouted + overflowed + late + failed}.
 */
@PublicEvolving
public record WindowCounts(
        long asked, long executed, long rerouted, long overflowed, long late, long failed) {

    public static final WindowCounts EMPTY = new WindowCounts(0, 0, 0, 0, 0, 0);

    /** Adds {@code count} choices that ended in {@code outcome}. */
    public WindowCounts plus(Outcome outcome, long count) {
        return new WindowCounts(
                asked + count,
                executed + (outcome == Outcome.EXECUTED ? count : 0),
                rerouted + (outcome == Outcome.REROUTED ? count : 0),
                overflowed + (outcome == Outcome.OVERFLOWED ? count : 0),
                late + (outcome == Outcome.LATE ? count : 0),
                failed + (outcome == Outcome.FAILED ? count : 0));
    }

    /** Adds {@code count} choices whose outcome is counted elsewhere. */
    public WindowCounts plusAsked(long count) {
        return new WindowCounts(asked + count, executed, rerouted, overflowed, late, failed);
    }

    /** The sum of both counts. */
    public WindowCounts plus(WindowCounts other) {
        return new WindowCounts(
                asked + other.asked,
                executed + other.executed,
                rerouted + other.rerouted,
                overflowed + other.overflowed,
                late + other.late,
                failed + other.failed);
    }

    /** Choices that take capacity in the window. */
    public long admitted() {
        return executed + failed;
    }

    /** Whether every choice has its outcome. */
    public boolean isBalanced() {
        return asked == executed + rerouted + overflowed + late + failed;
    }
}
