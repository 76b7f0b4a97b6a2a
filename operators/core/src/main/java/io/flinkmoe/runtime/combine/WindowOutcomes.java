// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.runtime.block.Choices;
import org.apache.flink.annotation.Internal;

/**
 * Counts outcomes of choices per window and lane: {@link ExpertOutcomes} or {@link GateOutcomes}.
 * The combine chooses them or {@link #NONE} when it opens. All methods refer to the current key.
 */
@Internal
interface WindowOutcomes {

    /** Counts nothing: there are no windows, or there is only one gate. */
    WindowOutcomes NONE =
            new WindowOutcomes() {
                @Override
                public void count(long[] timestamps, Choices choices) {}

                @Override
                public void close(long windowStart, int lane, long lastTimestamp) {}
            };

    /**
     * Counts the choices of T tokens.
     *
     * @param timestamps [T]
     * @param choices the choices [T, k] with their final outcomes
     */
    void count(long[] timestamps, Choices choices) throws Exception;

    /**
     * Emits and removes the counts of a window that has closed.
     *
     * @param lane the lane of the current key
     * @param lastTimestamp the last timestamp of the window
     */
    void close(long windowStart, int lane, long lastTimestamp) throws Exception;
}
