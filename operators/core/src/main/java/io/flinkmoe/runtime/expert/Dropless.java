package io.flinkmoe.runtime.expert;

import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import org.apache.flink.annotation.Internal;

/** Admits every row. There is no capacity, so there are no windows and nothing to count. */
@Internal
final class Dropless implements AdmissionMode {

    private static final int[] NONE = {};

    @Override
    public Verdict arrive(DispatchBlock block) {
        int[] rows = new int[block.rows()];
        for (int row = 0; row < rows.length; row++) {
            rows[row] = row;
        }
        return new Verdict(block, rows, NONE, NONE);
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
    public void countFailed(ExpertCalls.Answer answer) {}

    private static IllegalStateException unexpected() {
        return new IllegalStateException("there are no windows without a capacity");
    }
}
