// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.dispatch.Dispatch;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.slices.SlicingOperatorFactory;
import java.util.List;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.api.watermark.Watermark;

/**
 * The test harness of a dispatch. {@link OperatorHarnesses} creates it. Tokens leave in slices,
 * which run when a watermark is sent or {@link #runSlices} is called.
 */
@Experimental
public final class DispatchHarness
        extends TwoInputHarness<RoutedBlock, DecisionBlock, RoutedBlock> {

    DispatchHarness(Dispatch dispatch, EvenKeys lanes, MockEnvironment environment)
            throws Exception {
        super(
                dispatch,
                new SlicingOperatorFactory<>(dispatch),
                new Inputs<>(
                        block -> lanes.keyOf(block.tokens().lane()),
                        block -> lanes.keyOf(block.lane())),
                environment);
    }

    /** Sends blocks of the router to the dispatch. */
    public void send(RoutedBlock... blocks) throws Exception {
        for (RoutedBlock block : blocks) {
            sendFirst(block);
        }
    }

    /** Sends blocks of the admission to the dispatch. */
    public void send(DecisionBlock... blocks) throws Exception {
        for (DecisionBlock block : blocks) {
            sendSecond(block);
        }
    }

    /** Sends a watermark to both inputs without running the slices that it starts. */
    public void startWatermark(long timestamp) throws Exception {
        super.processBothWatermarks(new Watermark(timestamp));
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

    /** Sends a watermark to both inputs and runs the slices. */
    @Override
    public void processBothWatermarks(Watermark watermark) throws Exception {
        super.processBothWatermarks(watermark);
        runSlices();
    }

    /** Returns the rows for the experts. */
    public List<ExpertRows> rows() {
        return Harnesses.values(this, ExpertRows.OUTPUT);
    }
}
