// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.WindowTokens;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Reports to every expert how many tokens a lane had in a window, for capacities that depend on it.
 *
 * @param numExperts N; 0 if the capacity does not depend on the number of tokens
 * @param k choices per token
 */
@Internal
record WindowTokensOutput(Output<StreamRecord<ExpertInput>> output, int numExperts, int k) {

    void emit(int lane, long windowStart, WindowCounts counts) {
        int tokens = (int) ((counts.asked() - counts.late()) / k);
        for (int expert = 0; tokens > 0 && expert < numExperts; expert++) {
            output.collect(new StreamRecord<>(new WindowTokens(expert, lane, windowStart, tokens)));
        }
    }
}
