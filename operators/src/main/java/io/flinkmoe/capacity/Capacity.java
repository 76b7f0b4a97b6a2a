package io.flinkmoe.capacity;

import java.io.Serializable;

/**
 * How many choices of a window one expert runs, which, and what it means for the weights.
 *
 * @param windows the windows that are counted
 * @param formula C, the expert capacity, choices per expert and window
 * @param admission when it is decided who finds room
 * @param order who comes first; PRIORITIZED admission only
 * @param renormalize whether the executed choices of a token share all its weight, as {@link
 *     Survivors#SHARE_OF_SURVIVORS}; else each keeps the weight that the router gave it
 */
public record Capacity(
        TumblingWindows windows,
        CapacityFormula formula,
        Admission admission,
        AdmissionOrder order,
        boolean renormalize)
        implements Serializable {

    public Capacity {
        if (admission == Admission.FIRST_COME && !formula.isFixed()) {
            throw new IllegalArgumentException(
                    "capacity factor is %s with first-come admission; allowed: 0, since the tokens of a window are not known before it closes"
                            .formatted(formula.factor()));
        }
    }

    /** A fixed C, first come, first served. */
    public static Capacity firstCome(TumblingWindows windows, int tokens) {
        return new Capacity(
                windows,
                CapacityFormula.fixed(tokens),
                Admission.FIRST_COME,
                AdmissionOrder.POSITION,
                false);
    }

    /** Admission at the close of a window. */
    public static Capacity prioritized(
            TumblingWindows windows, CapacityFormula formula, AdmissionOrder order) {
        return new Capacity(windows, formula, Admission.PRIORITIZED, order, false);
    }

    /** The same, where the executed choices of a token share all its weight. */
    public Capacity renormalized() {
        return new Capacity(windows, formula, admission, order, true);
    }

    public boolean isPrioritized() {
        return admission == Admission.PRIORITIZED;
    }

    /** Whether one more choice finds room in a window with this account, first come. */
    public boolean hasRoom(WindowAccount account) {
        return account.admitted() < formula.capacity(0, 1, 1);
    }
}
