// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
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
                public void countAsked(long timestamp, int choices) {}

                @Override
                public void save() {}

                @Override
                public WindowCounts remove(long windowStart) {
                    return WindowCounts.EMPTY;
                }
            };

    /** Counts choices of a token with this timestamp, and their outcome. */
    void count(long timestamp, Outcome outcome, int choices) throws Exception;

    /** Counts choices of a token with this timestamp. Another operator counts their outcome. */
    void countAsked(long timestamp, int choices) throws Exception;

    /** Writes the counts to the state. Call it before the current key changes. */
    void save() throws Exception;

    /** Removes the counts of a window that has closed. */
    WindowCounts remove(long windowStart) throws Exception;
}
