// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.WindowCounts;
import org.apache.flink.annotation.PublicEvolving;
import org.assertj.core.api.AbstractAssert;

/** Assertions about a {@link WindowSummary}: the counts of one operator in one window. */
@PublicEvolving
public final class WindowSummaryAssert extends AbstractAssert<WindowSummaryAssert, WindowSummary> {

    WindowSummaryAssert(WindowSummary actual) {
        super(actual, WindowSummaryAssert.class);
    }

    /**
     * Passes if an expert admitted at most {@code capacity} choices in one round. For the sum of
     * all rounds, see {@link ExpertLoads}.
     */
    public WindowSummaryAssert neverExceeds(int capacity) {
        isNotNull();
        if (actual.source() != WindowSummary.Source.ADMISSION) {
            throw failure("%s: expected the summary of an admission", where());
        }
        if (counts().admitted() > capacity) {
            throw failure(
                    "%s: expected at most %d admitted choices, but found %d",
                    where(), capacity, counts().admitted());
        }
        return this;
    }

    /** Passes if exactly this number of choices overflowed. */
    public WindowSummaryAssert hasOverflowed(long choices) {
        return has("overflowed", choices, counts().overflowed());
    }

    /** Passes if exactly this number of choices was admitted. */
    public WindowSummaryAssert hasAdmitted(long choices) {
        return has("admitted", choices, counts().admitted());
    }

    /** Passes if exactly this number of choices was passed on to the next expert. */
    public WindowSummaryAssert hasPassedOn(long choices) {
        return has("passed on", choices, counts().passedOn());
    }

    /** Passes if exactly this number of choices was executed, without rerouted ones. */
    public WindowSummaryAssert hasExecuted(long choices) {
        return has("executed", choices, counts().executed());
    }

    /** Passes if exactly this number of choices was late. */
    public WindowSummaryAssert hasLate(long choices) {
        return has("late", choices, counts().late());
    }

    /** Passes if exactly this number of choices failed. */
    public WindowSummaryAssert hasFailed(long choices) {
        return has("failed", choices, counts().failed());
    }

    /** Passes if every choice has exactly one outcome. */
    public WindowSummaryAssert isBalanced() {
        if (!counts().isBalanced()) {
            throw failure(
                    "%s: expected one outcome for each choice, but found %s", where(), counts());
        }
        return this;
    }

    private WindowSummaryAssert has(String outcome, long expected, long found) {
        if (found != expected) {
            throw failure(
                    "%s: expected %d %s choices, but found %d", where(), expected, outcome, found);
        }
        return this;
    }

    private WindowCounts counts() {
        isNotNull();
        return actual.counts();
    }

    private String where() {
        return switch (actual.source()) {
            case ADMISSION ->
                    "layer %d, window %d, expert %d, round %d"
                            .formatted(
                                    actual.layer(),
                                    actual.windowStart(),
                                    actual.expert(),
                                    actual.round());
            case EXPERT ->
                    "layer %d, window %d, expert %d of lane %d"
                            .formatted(
                                    actual.layer(),
                                    actual.windowStart(),
                                    actual.expert(),
                                    actual.lane());
            case GATE ->
                    "layer %d, window %d, gate %d of lane %d"
                            .formatted(
                                    actual.layer(),
                                    actual.windowStart(),
                                    actual.gate(),
                                    actual.lane());
            case ROUTER, COMBINE ->
                    "layer %d, window %d, %s of lane %d"
                            .formatted(
                                    actual.layer(),
                                    actual.windowStart(),
                                    actual.source(),
                                    actual.lane());
        };
    }
}
