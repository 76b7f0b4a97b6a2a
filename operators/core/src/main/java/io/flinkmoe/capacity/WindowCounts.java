// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.PublicEvolving;

/**
 * The choices of one window by outcome (a token of a layer with one top-k gate makes k choices).
 * The counts of several subtasks add up. What is counted depends on the operator:
 *
 * <pre>
 *   router     asked = overflowed + late + failed + those that it sends to the experts' admission
 *   admission  asked = admitted + passedOn + overflowed + late
 *   expert     asked = executed + rerouted + failed
 *   combine    asked = executed + rerouted + overflowed + late + failed
 * </pre>
 *
 * @param admitted choices that the admission of an expert admits
 * @param passedOn choices that the admission of an expert passes on to their next expert
 * @param tokens tokens that are not late; routers and combines count them
 */
@PublicEvolving
public record WindowCounts(
        long asked,
        long admitted,
        long passedOn,
        long executed,
        long rerouted,
        long overflowed,
        long late,
        long failed,
        long tokens) {

    public static final WindowCounts EMPTY = new WindowCounts(0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** Adds {@code count} choices that ended in {@code outcome}. */
    public WindowCounts plus(Outcome outcome, long count) {
        return new WindowCounts(
                asked + count,
                admitted,
                passedOn,
                executed + (outcome == Outcome.EXECUTED ? count : 0),
                rerouted + (outcome == Outcome.REROUTED ? count : 0),
                overflowed + (outcome == Outcome.OVERFLOWED ? count : 0),
                late + (outcome == Outcome.LATE ? count : 0),
                failed + (outcome == Outcome.FAILED ? count : 0),
                tokens);
    }

    /** Adds {@code count} choices that are admitted. */
    public WindowCounts plusAdmitted(long count) {
        return plus(new WindowCounts(count, count, 0, 0, 0, 0, 0, 0, 0));
    }

    /** Adds {@code count} choices that are passed on. */
    public WindowCounts plusPassedOn(long count) {
        return plus(new WindowCounts(count, 0, count, 0, 0, 0, 0, 0, 0));
    }

    /** Adds {@code count} choices whose outcome is counted elsewhere. */
    public WindowCounts plusAsked(long count) {
        return plus(new WindowCounts(count, 0, 0, 0, 0, 0, 0, 0, 0));
    }

    /** Adds {@code count} tokens that are not late. */
    public WindowCounts plusTokens(long count) {
        return plus(new WindowCounts(0, 0, 0, 0, 0, 0, 0, 0, count));
    }

    /** The sum of both counts. */
    public WindowCounts plus(WindowCounts other) {
        return new WindowCounts(
                asked + other.asked,
                admitted + other.admitted,
                passedOn + other.passedOn,
                executed + other.executed,
                rerouted + other.rerouted,
                overflowed + other.overflowed,
                late + other.late,
                failed + other.failed,
                tokens + other.tokens);
    }

    /** Whether every choice has its outcome. */
    public boolean isBalanced() {
        return asked == admitted + passedOn + executed + rerouted + overflowed + late + failed;
    }
}
