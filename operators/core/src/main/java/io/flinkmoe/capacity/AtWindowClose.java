// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Experimental;

/**
 * Choices wait until the watermark closes their window; then the first C of each expert are
 * admitted in an {@link AdmissionOrder}. The content of the window alone decides, whatever the
 * arrival, parallelism and batching.
 *
 * @param windows the windows in which capacity is counted
 * @param formula C
 * @param order which choices are admitted first
 * @param weightRule what the outputs of executed choices are multiplied by
 * @param overflowRounds how often a choice tries a next expert
 */
@Experimental
public record AtWindowClose(
        TumblingWindows windows,
        CapacityFormula formula,
        AdmissionOrder order,
        WeightRule weightRule,
        int overflowRounds)
        implements Capacity {

    public AtWindowClose {
        checkWeightRule(weightRule, AdmissionMode.PRIORITIZED, order, overflowRounds);
        checkRounds(overflowRounds);
    }

    static void checkWeightRule(
            WeightRule rule, AdmissionMode admission, AdmissionOrder order, int overflowRounds) {
        if (!rule.allows(admission, order, overflowRounds)) {
            throw new IllegalArgumentException(
                    "weights are window with %s admission, order %s and %d overflow rounds; allowed: prioritized, gate-score, 0"
                            .formatted(admission, order, overflowRounds));
        }
    }

    static void checkRounds(int overflowRounds) {
        if (overflowRounds < 0) {
            throw new IllegalArgumentException(
                    "overflow rounds are %d; allowed: 0 or more".formatted(overflowRounds));
        }
    }

    /** The same with other weights. */
    public AtWindowClose withWeightRule(WeightRule other) {
        return new AtWindowClose(windows, formula, order, other, overflowRounds);
    }

    /** The same, where overflow tries the next most probable experts. */
    public AtWindowClose withOverflowRounds(int rounds) {
        return new AtWindowClose(windows, formula, order, weightRule, rounds);
    }

    /** Without next-expert rounds and with the router's weights. */
    public static AtWindowClose of(
            TumblingWindows windows, CapacityFormula formula, AdmissionOrder order) {
        return new AtWindowClose(windows, formula, order, WeightRule.ROUTER, 0);
    }

    @Override
    public boolean decidesAtClose(int round) {
        return true;
    }

    @Override
    public boolean dependsOnTokens() {
        return !formula.isFixed();
    }

    @Override
    public AdmissionScore score() {
        return AdmissionScore.of(order, weightRule);
    }

    @Override
    public int expertCapacity(int tokens, int numExperts, int topK) {
        return formula.capacity(tokens, numExperts, topK);
    }

    @Override
    public int remainingOnArrival(WindowCounts counted) {
        return 0;
    }

    @Override
    public ExpertAdmission admit(Candidate[] candidates, int remaining, int round) {
        return ExpertAdmission.inOrder(candidates, order, remaining);
    }
}
