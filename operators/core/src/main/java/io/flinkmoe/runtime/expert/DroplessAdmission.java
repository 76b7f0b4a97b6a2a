// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.layer.ExpertCalls;
import io.flinkmoe.runtime.layer.RowList;
import org.apache.flink.annotation.Internal;

/** Admits every row. Without a capacity there are no windows and nothing to count. */
@Internal
final class DroplessAdmission implements AdmissionMode {

    private static final int[] NONE = {};

    @Override
    public RowDecisions arrive(DispatchBlock block) {
        return new RowDecisions(block, RowList.all(block.rows()), NONE, NONE);
    }

    @Override
    public void addTokens(WindowTokens tokens) {
        throw unexpected();
    }

    @Override
    public void setRemaining(RemainingCapacity remaining) {
        throw unexpected();
    }

    @Override
    public Close close(int expert, long windowStart) {
        throw unexpected();
    }

    @Override
    public WindowCounts removeCounts(long windowStart) {
        throw unexpected();
    }

    @Override
    public void countFailed(ExpertCalls.Result result) {}

    private static IllegalStateException unexpected() {
        return new IllegalStateException("there are no windows without a capacity");
    }
}
