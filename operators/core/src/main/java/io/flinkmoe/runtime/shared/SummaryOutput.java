// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.WindowCounts;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Emits the window summaries of one operator.
 *
 * @param layer the MoE layer, counted from 0
 * @param round the round of admission of an expert; 0 for other operators
 */
@Internal
public record SummaryOutput(Output<?> output, int layer, WindowSummary.Source source, int round) {

    /**
     * Emits a summary, unless it is empty.
     *
     * @param expert the expert, or {@link WindowSummary#NONE}
     * @param lane the lane, or {@link WindowSummary#NONE}
     */
    public void emit(long windowStart, int expert, int lane, WindowCounts counts, long timestamp) {
        emit(new WindowSummary(layer, windowStart, source, round, expert, lane, counts), timestamp);
    }

    /** Emits a summary of a gate, unless it is empty. */
    public void emitGate(long windowStart, int gate, int lane, WindowCounts counts, long time) {
        int none = WindowSummary.NONE;
        emit(new WindowSummary(layer, windowStart, source, round, none, lane, gate, counts), time);
    }

    private void emit(WindowSummary summary, long timestamp) {
        if (summary.counts().asked() > 0) {
            output.collect(WindowSummary.SUMMARIES, new StreamRecord<>(summary, timestamp));
        }
    }
}
