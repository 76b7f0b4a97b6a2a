package io.flinkmoe.capacity;

import java.io.Serializable;

/**
 * How many choices of a window one expert runs, which, what becomes of the others, and what it
 * means for the weights.
 *
 * @param windows the windows that are counted
 * @param formula C, the expert capacity, choices per expert and window
 * @param admission when it is decided who finds room
 * @param order who comes first, where that is decided at the close of a window
 * @param weighing what the outputs of executed choices are multiplied by
 * @param overflowRounds how often a choice without room tries the token's next most probable expert
 *     ({@link NextExpert}); 0: never, the token keeps its residual
 */
public record Capacity(
        TumblingWindows windows,
        CapacityFormula formula,
        Admission admission,
        AdmissionOrder order,
        WeightRule weighing,
        int overflowRounds)
        implements Serializable {

    public Capacity {
        if (admission == Admission.FIRST_COME && !formula.isFixed()) {
            throw new IllegalArgumentException(
                    "capacity factor is %s with first-come admission; allowed: 0, since the tokens of a window are not known before it closes"
                            .formatted(formula.factor()));
        }
        if (weighing == WeightRule.WINDOW
                && (admission != Admission.PRIORITIZED
                        || order != AdmissionOrder.GATE_SCORE
                        || overflowRounds > 0)) {
            throw new IllegalArgumentException(
                    "weights are window with %s admission, order %s and %d overflow rounds; allowed: prioritized, gate-score, 0"
                            .formatted(admission, order, overflowRounds));
        }
        if (overflowRounds < 0) {
            throw new IllegalArgumentException(
                    "overflow rounds are %d; allowed: 0 or more".formatted(overflowRounds));
        }
    }

    /** A fixed C, first come, first served. */
    public static Capacity firstCome(TumblingWindows windows, int tokens) {
        return new Capacity(
                windows,
                CapacityFormula.fixed(tokens),
                Admission.FIRST_COME,
                AdmissionOrder.POSITION,
                WeightRule.ROUTER,
                0);
    }

    /** Admission at the close of a window. */
    public static Capacity prioritized(
            TumblingWindows windows, CapacityFormula formula, AdmissionOrder order) {
        return new Capacity(windows, formula, Admission.PRIORITIZED, order, WeightRule.ROUTER, 0);
    }

    /** The same with other weights. */
    public Capacity weighedBy(WeightRule other) {
        return new Capacity(windows, formula, admission, order, other, overflowRounds);
    }

    /** The same, where overflow goes to the next most probable experts. */
    public Capacity withOverflowRounds(int rounds) {
        return new Capacity(windows, formula, admission, order, weighing, rounds);
    }

    public boolean isPrioritized() {
        return admission == Admission.PRIORITIZED;
    }

    /** Whether any choice waits for the close of its window: all, or what overflows at first. */
    public boolean decidesAtClose() {
        return isPrioritized() || overflowRounds > 0;
    }

    /** The experts that a choice tries at most. */
    public int attempts() {
        return 1 + overflowRounds;
    }

    /**
     * The room that is left in a window with this account, first come.
     *
     * @return choices, 0 or more
     */
    public int remaining(WindowCounts account) {
        return (int) Math.max(0, formula.capacity(0, 1, 1) - account.admitted());
    }
}
