package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.Vectors;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/** What an {@link Expert} gives: answers to the combine, and retries to the next round. */
@Internal
final class ExpertOutput {

    private static final float[] NO_WEIGHTS = {};

    private final Output<StreamRecord<ContributionBlock>> output;
    private final boolean weighsByWindow;

    /**
     * @param capacity null: dropless
     */
    ExpertOutput(Output<StreamRecord<ContributionBlock>> output, Capacity capacity) {
        this.output = output;
        this.weighsByWindow = capacity != null && capacity.weighing() == WeightRule.WINDOW;
    }

    /**
     * Answers rows that ran.
     *
     * @param rows the rows of the block, ascending
     * @param outcomes EXECUTED or FAILED for each
     * @param vectors the outputs of the executed ones, in order
     */
    void answer(DispatchBlock block, int[] rows, byte[] outcomes, Vectors vectors) {
        float[] weights = weighsByWindow ? shares(block, rows, outcomes) : NO_WEIGHTS;
        emit(block, rows, outcomes, weights, vectors);
    }

    /** Answers rows that do not run. */
    void settle(DispatchBlock block, int[] rows, Outcome outcome) {
        byte[] outcomes = new byte[rows.length];
        Arrays.fill(outcomes, outcome.code());
        emit(block, rows, outcomes, NO_WEIGHTS, Vectors.NONE);
    }

    /** Gives what the next round of admission is to know. */
    void retry(ExpertInput input) {
        output.collect(Expert.RETRIES, new StreamRecord<>(input));
    }

    /** The shares of the executed rows in their window, which are their weights. */
    private static float[] shares(DispatchBlock block, int[] rows, byte[] outcomes) {
        float[] shares = new float[rows.length];
        int executed = 0;
        for (int i = 0; i < rows.length; i++) {
            if (outcomes[i] == Outcome.EXECUTED.code()) {
                shares[executed++] = block.priorities().scores()[rows[i]];
            }
        }
        return Arrays.copyOf(shares, executed);
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
