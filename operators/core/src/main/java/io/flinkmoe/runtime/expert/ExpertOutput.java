package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Vectors;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/** Makes the answers of an expert operator to the combine. */
@Internal
final class ExpertOutput {

    private static final float[] NO_WEIGHTS = {};

    private final Output<StreamRecord<ContributionBlock>> output;
    private final boolean sendsWeights;

    /**
     * @param sendsWeights whether the expert knows the weights of its rows: those of the window
     */
    ExpertOutput(Output<StreamRecord<ContributionBlock>> output, boolean sendsWeights) {
        this.output = output;
        this.sendsWeights = sendsWeights;
    }

    /** Answers rows that ran. */
    void answer(ExpertCalls.Answer answer) {
        float[] weights = sendsWeights ? weights(answer) : NO_WEIGHTS;
        emit(answer.block(), answer.rows(), answer.outcomes(), weights, answer.vectors());
    }

    /** Answers rows that do not run. */
    void settle(DispatchBlock block, int[] rows, Outcome outcome) {
        byte[] outcomes = new byte[rows.length];
        Arrays.fill(outcomes, outcome.code());
        emit(block, rows, outcomes, NO_WEIGHTS, Vectors.NONE);
    }

    /** The window weights of the executed rows, which their scores are. */
    private static float[] weights(ExpertCalls.Answer answer) {
        float[] weights = new float[answer.rows().length];
        int executed = 0;
        for (int i = 0; i < weights.length; i++) {
            if (answer.outcomes()[i] == Outcome.EXECUTED.code()) {
                weights[executed++] = answer.block().priorities().scores()[answer.rows()[i]];
            }
        }
        return Arrays.copyOf(weights, executed);
    }

    private void emit(
            DispatchBlock block, int[] rows, byte[] outcomes, float[] weights, Vectors vectors) {
        if (rows.length == 0) {
            return;
        }
        int[] choices = new int[rows.length];
        for (int i = 0; i < rows.length; i++) {
            choices[i] = block.choices()[rows[i]];
        }
        output.collect(
                new StreamRecord<>(
                        new ContributionBlock(
                                block.lane(),
                                block.batch(),
                                block.attempt(),
                                choices,
                                outcomes,
                                weights,
                                vectors)));
    }
}
