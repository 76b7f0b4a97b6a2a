// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.serialization.WindowCountsSerializer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimerService;

/**
 * The counts of an operator's open windows, per key in keyed state. A timer at the end of each
 * window makes the operator emit and remove them. Counts that are added to a window after that set
 * another timer, which the next watermark fires. All methods refer to the current key.
 */
@Internal
public final class WindowCounters implements ChoiceCounter {

    private static final MapStateDescriptor<Long, WindowCounts> DESCRIPTOR =
            new MapStateDescriptor<>(
                    "window-counts", LongSerializer.INSTANCE, new WindowCountsSerializer());

    private final Windows windows;
    private final MapState<Long, WindowCounts> state;
    private final InternalTimerService<VoidNamespace> timers;

    /**
     * The counts of one window that are not yet in the state. Most rows of a block share a window.
     */
    private WindowCounts current;

    private long currentStart;

    /**
     * @param operator the operator, whose timers fire at the end of each window
     */
    public <O extends AbstractStreamOperator<?> & WindowTimers> WindowCounters(
            O operator, Windows windows) {
        this.windows = windows;
        this.state = operator.getRuntimeContext().getMapState(DESCRIPTOR);
        this.timers =
                operator.getInternalTimerService(
                        "windows", VoidNamespaceSerializer.INSTANCE, operator);
    }

    /** The counts of the window that contains {@code timestamp}. */
    public WindowCounts at(long timestamp) throws Exception {
        long start = windows.startOf(timestamp);
        if (current == null || start != currentStart) {
            save();
            WindowCounts counts = state.get(start);
            current = counts == null ? WindowCounts.EMPTY : counts;
            currentStart = start;
        }
        return current;
    }

    @Override
    public void count(long timestamp, Outcome outcome, int choices) throws Exception {
        current = at(timestamp).plus(outcome, choices);
    }

    @Override
    public void countBlock(long[] timestamps, byte[] outcomes, int k) throws Exception {
        for (int choice = 0; choice < outcomes.length; choice++) {
            long timestamp = timestamps[choice / k];
            current =
                    outcomes[choice] == Choices.PENDING
                            ? at(timestamp).plusAsked(1)
                            : at(timestamp).plus(Outcome.ofCode(outcomes[choice]), 1);
        }
        save();
    }

    /** Sets the timer at the end of a window, even if nothing is counted in it. */
    public void open(long windowStart) throws Exception {
        at(windowStart);
        save();
    }

    @Override
    public void save() throws Exception {
        if (current != null) {
            state.put(currentStart, current);
            timers.registerEventTimeTimer(VoidNamespace.INSTANCE, windows.lastOf(currentStart));
            current = null;
        }
    }

    @Override
    public WindowCounts remove(long windowStart) throws Exception {
        WindowCounts counts = at(windowStart);
        current = null;
        state.remove(windowStart);
        // Choices that were counted when the window closed have set the timer again.
        timers.deleteEventTimeTimer(VoidNamespace.INSTANCE, windows.lastOf(windowStart));
        return counts;
    }
}
