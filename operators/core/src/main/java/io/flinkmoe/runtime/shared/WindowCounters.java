package io.flinkmoe.runtime.shared;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.serialization.WindowCountsSerializer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.Triggerable;

/**
 * The counts of an operator's open windows, per key in keyed state. A timer at the end of a window
 * emits its summary and clears it. Counts that are added to a window after that are emitted in
 * another summary at the next watermark. All methods refer to the current key.
 */
@Internal
public final class WindowCounters implements ChoiceCounter, Triggerable<Integer, VoidNamespace> {

    /** An action of the operator when a window closes, before the summary is emitted. */
    public interface WindowClose {
        /**
         * Runs the action. The key of the expert or lane is the current key.
         *
         * @param index the expert or lane
         * @param counts the counts of the window so far
         */
        void close(int index, long windowStart, WindowCounts counts) throws Exception;
    }

    private static final MapStateDescriptor<Long, WindowCounts> DESCRIPTOR =
            new MapStateDescriptor<>(
                    "window-counts", LongSerializer.INSTANCE, new WindowCountsSerializer());

    private final Windows windows;
    private final EvenKeys keys;
    private final SummaryOutput summaries;
    private final WindowClose windowClose;
    private final MapState<Long, WindowCounts> state;
    private final InternalTimerService<VoidNamespace> timers;

    /**
     * The counts of one window that are not yet in the state. Most rows of a block share a window.
     */
    private WindowCounts current;

    private long currentStart;

    /**
     * @param keys the keys of the operator's experts or lanes
     * @param windowClose the action when a window closes
     */
    public WindowCounters(
            AbstractStreamOperator<?> operator,
            Windows windows,
            EvenKeys keys,
            SummaryOutput summaries,
            WindowClose windowClose) {
        this.windows = windows;
        this.keys = keys;
        this.summaries = summaries;
        this.windowClose = windowClose;
        this.state = operator.getRuntimeContext().getMapState(DESCRIPTOR);
        this.timers =
                operator.getInternalTimerService("windows", VoidNamespaceSerializer.INSTANCE, this);
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
    public void countAsked(long timestamp, int choices) throws Exception {
        current = at(timestamp).plusAsked(choices);
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
    public void onEventTime(InternalTimer<Integer, VoidNamespace> timer) throws Exception {
        long start = windows.startOf(timer.getTimestamp());
        int index = keys.indexOf(timer.getKey());
        windowClose.close(index, start, at(start));
        WindowCounts counts = at(start);
        current = null;
        state.remove(start);
        // The action may have counted choices, which sets the timer again.
        timers.deleteEventTimeTimer(VoidNamespace.INSTANCE, timer.getTimestamp());
        summaries.emit(start, index, counts, timer.getTimestamp());
    }

    @Override
    public void onProcessingTime(InternalTimer<Integer, VoidNamespace> timer) {
        throw new IllegalStateException("only event-time timers are registered");
    }
}
