// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.runtime.admission.Admission;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.AdmissionInputSerializer;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.slices.SlicingOperatorFactory;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;

/**
 * The test harness of one round of admission to the experts of a layer. {@link OperatorHarnesses}
 * creates it. A closed window is decided in slices, which run when a watermark is sent or {@link
 * #runSlices} is called.
 */
@Experimental
public final class AdmissionHarness
        extends OneInputStreamOperatorTestHarness<AdmissionInput, DecisionBlock> {

    AdmissionHarness(Admission admission, EvenKeys experts, MockEnvironment environment)
            throws Exception {
        super(
                new SlicingOperatorFactory<AdmissionInput, Void, DecisionBlock>(admission),
                environment);
        KeySelector<AdmissionInput, Integer> keys = input -> experts.keyOf(input.expert());
        config.setStatePartitioner(0, keys);
        config.setStateKeySerializer(IntSerializer.INSTANCE);
        config.serializeAllConfigs();
    }

    /** Sends candidates and window reports. */
    public void send(AdmissionInput... inputs) throws Exception {
        for (AdmissionInput input : inputs) {
            processElement(new StreamRecord<>(input));
        }
    }

    /** Sends a watermark and runs the slices. */
    @Override
    public void processWatermark(Watermark mark) throws Exception {
        super.processWatermark(mark);
        runSlices();
    }

    /** Sends a watermark without running the slices that it starts. */
    public void startWatermark(long timestamp) throws Exception {
        getOneInputOperator().processWatermark(new Watermark(timestamp));
    }

    /**
     * Runs one slice.
     *
     * @return false if no slice is due
     */
    public boolean runSlice() throws Exception {
        return Harnesses.runTimer(this);
    }

    /** Runs all slices that are due. */
    public void runSlices() throws Exception {
        Harnesses.runTimers(this);
    }

    /**
     * Returns the code of the outcome of each choice that is decided: PENDING if it is admitted.
     *
     * @throws IllegalStateException if a choice was decided twice
     */
    public SortedMap<Integer, Byte> decided() {
        SortedMap<Integer, Byte> outcomes = new TreeMap<>();
        for (DecisionBlock block : extractOutputValues()) {
            for (DecisionBlock.OfBatch decisions : block.batches()) {
                for (int i = 0; i < decisions.choices().length; i++) {
                    int choice = decisions.choices()[i];
                    if (outcomes.put(choice, decisions.outcomes()[i]) != null) {
                        throw new IllegalStateException(
                                "choice %d was decided twice".formatted(choice));
                    }
                }
            }
        }
        return outcomes;
    }

    /** Returns the records for the next round of admission. */
    public List<AdmissionInput> nextRound() {
        return Harnesses.values(this, AdmissionInputSerializer.OUTPUT);
    }

    /** Counts the entries of any state backend. */
    public int numKeyedStateEntries() {
        return Harnesses.keyedStateEntries(this);
    }

    @Override
    public void close() {
        Harnesses.close(super::close, getEnvironment());
    }
}
