// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.capacity.Windows;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.array.LongPrimitiveArraySerializer;

/**
 * An array of counts per window in keyed state. What is counted in the window of the last timestamp
 * is written with {@link #save}, because most tokens of a block share a window.
 */
@Internal
final class CountsOfWindows {

    private final MapState<Long, long[]> state;
    private final Windows windows;
    private final int size;
    private long window;
    private long[] counts; // of the window; null if nothing is to be saved

    /**
     * @param name the name of the state
     * @param size the number of counts of a window
     */
    CountsOfWindows(RuntimeContext context, String name, Windows windows, int size) {
        this.state =
                context.getMapState(
                        new MapStateDescriptor<>(
                                name,
                                LongSerializer.INSTANCE,
                                LongPrimitiveArraySerializer.INSTANCE));
        this.windows = windows;
        this.size = size;
    }

    /** Returns the counts of the window of a timestamp, to be changed until the next call. */
    long[] at(long timestamp) throws Exception {
        long start = windows.startOf(timestamp);
        if (counts == null || start != window) {
            save();
            window = start;
            long[] inState = state.get(start);
            // A state on the heap must not change while a checkpoint writes it.
            counts = inState == null ? new long[size] : inState.clone();
        }
        return counts;
    }

    /** Writes what is not in the state yet. Call it before the current key changes. */
    void save() throws Exception {
        if (counts != null) {
            state.put(window, counts);
            counts = null;
        }
    }

    /** Removes the counts of a window; null if there are none. */
    long[] remove(long windowStart) throws Exception {
        long[] removed = state.get(windowStart);
        if (removed != null) {
            state.remove(windowStart);
        }
        return removed;
    }
}
