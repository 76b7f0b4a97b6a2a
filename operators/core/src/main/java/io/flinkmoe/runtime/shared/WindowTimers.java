// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.Triggerable;

/** An operator whose event-time timers fire when the watermark closes a window. */
@Internal
public interface WindowTimers extends Triggerable<Integer, VoidNamespace> {

    /**
     * Closes a window. The current key is {@code key}.
     *
     * @param lastTimestamp the last timestamp of the window
     */
    void closeWindow(int key, long lastTimestamp) throws Exception;

    @Override
    default void onEventTime(InternalTimer<Integer, VoidNamespace> timer) throws Exception {
        closeWindow(timer.getKey(), timer.getTimestamp());
    }

    @Override
    default void onProcessingTime(InternalTimer<Integer, VoidNamespace> timer) {
        throw new IllegalStateException("only event-time timers are registered");
    }
}
