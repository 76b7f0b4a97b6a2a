// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Experimental;

/**
 * Choices are admitted on arrival while capacity remains: an answer needs no closed window, but
 * depends on the arrival. Choices that are rerouted wait for the close of the window.
 *
 * @param windows the windows in which capacity is counted
 * @param formula C, a fixed one: the tokens of a window are not known before it closes
 * @param order which rerouted choices are admitted first
 * @param weightRule what the outputs of executed choices are multiplied by
 * @param overflowRounds how often a choice tries a next expert
 */
@Experimental
public record FirstCome(
        TumblingWindows windows,
        CapacityFormula formula,
        AdmissionOrder order,
        WeightRule weightRule,
        int overflowRounds)
        implements Capacity {

    public FirstCome {
        if (!formula.isFixed()) {
            throw new IllegalArgumentException(
                    "capacity factor is %s with first-come admission; allowed: 0, since the tokens of a window are not known before it closes"
                            .formatted(formula.factor()));
        }
        AtWindowClose.checkWeightRule(weightRule, AdmissionMode.FIRST_COME, order, overflowRounds);
        AtWindowClose.checkRounds(overflowRounds);
    }

    /** The same with other weights. */
    public FirstCome withWeightRule(WeightRule other) {
        return new FirstCome(windows, formula, order, other, overflowRounds);
    }

    /** The same, where overflow tries the next most probable experts. */
    public FirstCome withOverflowRounds(int rounds) {
        return new FirstCome(windows, formula, order, weightRule, rounds);
    }

    /** A fixed C, without next-expert rounds and with the router's weights. */
    public static FirstCome of(TumblingWindows windows, int tokens) {
        return new FirstCome(
                windows,
                CapacityFormula.fixed(tokens),
                AdmissionOrder.POSITION,
                WeightRule.ROUTER,
                0);
    }

    @Override
    public boolean decidesAtClose(int round) {
        return round > 0;
    }

    @Override
    public boolean dependsOnTokens() {
        return false;
    }

    @Override
    public AdmissionScore score() {
        return overflowRounds == 0 ? AdmissionScore.NONE : AdmissionScore.of(order, weightRule);
    }

    @Override
    public int expertCapacity(int tokens, int numExperts, int topK) {
        return formula.capacity(tokens, numExperts, topK);
    }

    @Override
    public int remainingOnArrival(WindowCounts counted) {
        return (int) Math.max(0, formula.capacity(0, 1, 1) - counted.admitted());
    }

    @Override
    public ExpertAdmission admit(Candidate[] candidates, int remaining, int round) {
        return round == 0
                ? ExpertAdmission.first(candidates, remaining)
                : ExpertAdmission.inOrder(candidates, order, remaining);
    }
}
