// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.Choices;
import org.apache.flink.annotation.Internal;

/** Counts choices by outcome. The operator chooses {@link #NONE} or {@link WindowCounters}. */
@Internal
public interface ChoiceCounter {

    /** Counts nothing: without a capacity there are no windows. */
    ChoiceCounter NONE =
            new ChoiceCounter() {
                @Override
                public void count(long timestamp, Outcome outcome, int choices) {}

                @Override
                public void countBlock(long[] timestamps, byte[] outcomes, int k) {}

                @Override
                public void save() {}

                @Override
                public OpenWindows windows() {
                    return OpenWindows.NONE;
                }

                @Override
                public WindowCounts remove(long windowStart) {
                    return WindowCounts.EMPTY;
                }
            };

    /** Counts choices of a token with this timestamp, and their outcome. */
    void count(long timestamp, Outcome outcome, int choices) throws Exception;

    /**
     * Counts all choices of a block and writes the counts to the state.
     *
     * @param timestamps [T]
     * @param outcomes [T, k], codes of {@link Outcome}, {@link Outcome#NO_CHOICE}, or {@link
     *     Choices#PENDING} if another operator counts the outcome
     * @param k choices per token
     */
    void countBlock(long[] timestamps, byte[] outcomes, int k) throws Exception;

    /** Writes the counts to the state. Call it before the current key changes. */
    void save() throws Exception;

    /** The windows that have counts. */
    OpenWindows windows();

    /** Removes the counts of a window that has closed. */
    WindowCounts remove(long windowStart) throws Exception;
}
