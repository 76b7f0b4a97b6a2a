// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Experimental;

/** No capacity: every choice is executed, nothing is late, and no window closes. */
@Experimental
public record Dropless() implements Capacity {

    private static final GlobalWindow WINDOW = new GlobalWindow();

    @Override
    public Windows windows() {
        return WINDOW;
    }

    /** Any: all candidates are admitted. */
    @Override
    public AdmissionOrder order() {
        return AdmissionOrder.POSITION;
    }

    @Override
    public WeightRule weightRule() {
        return WeightRule.ROUTER;
    }

    @Override
    public int overflowRounds() {
        return 0;
    }

    @Override
    public boolean decidesAtClose(int round) {
        return false;
    }

    @Override
    public boolean dependsOnTokens() {
        return false;
    }

    @Override
    public AdmissionScore score() {
        return AdmissionScore.NONE;
    }

    @Override
    public int expertCapacity(int tokens, int numExperts, int topK) {
        return Integer.MAX_VALUE;
    }

    @Override
    public int remainingOnArrival(WindowCounts counted) {
        return Integer.MAX_VALUE;
    }

    @Override
    public ExpertAdmission admit(Candidate[] candidates, int remaining, int round) {
        return ExpertAdmission.first(candidates, remaining);
    }
}
