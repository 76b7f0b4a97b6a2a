// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.layer.ExpertCalls;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/** Emits the results of an expert operator to the combine. */
@Internal
final class ExpertOutput {

    private final Output<StreamRecord<ContributionBlock>> output;
    private final boolean sendsWeights;

    /**
     * @param sendsWeights whether results carry weights, because the expert determines them
     */
    ExpertOutput(Output<StreamRecord<ContributionBlock>> output, boolean sendsWeights) {
        this.output = output;
        this.sendsWeights = sendsWeights;
    }

    /** Emits the result of a call. */
    void emit(ExpertCalls.Result result) {
        float[] weights = sendsWeights ? weights(result) : ContributionBlock.NO_WEIGHTS;
        output.collect(new StreamRecord<>(result.contribution(weights)));
    }

    /** Emits the outcome of rows that are not executed. */
    void emit(DispatchBlock block, int[] rows, Outcome outcome) {
        if (rows.length == 0) {
            return;
        }
        byte[] outcomes = new byte[rows.length];
        Arrays.fill(outcomes, outcome.code());
        output.collect(
                new StreamRecord<>(
                        block.contribution(
                                rows, outcomes, ContributionBlock.NO_WEIGHTS, Vectors.NONE)));
    }

    /** Returns the weights of the executed rows. Their scores are their shares of the window. */
    private static float[] weights(ExpertCalls.Result result) {
        float[] weights = new float[result.rows().length];
        int executed = 0;
        for (int i = 0; i < weights.length; i++) {
            if (result.outcomes()[i] == Outcome.EXECUTED.code()) {
                weights[executed++] = result.block().priorities().scores()[result.rows()[i]];
            }
        }
        return Arrays.copyOf(weights, executed);
    }
}
