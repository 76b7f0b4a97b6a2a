package io.flinkmoe.runtime.shared;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WindowCounts;
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
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * The accounts of the open windows of an operator, per key in keyed state. A timer at a window's
 * close gives its {@link WindowSummary} and clears it; what is counted for a window after that
 * opens an account of its own, which the next watermark closes. All methods speak of the current
 * key.
 */
@Internal
public final class WindowCounters implements Triggerable<Integer, VoidNamespace> {

    /** What an operator does at the close of a window, before its summary is given. */
    public interface Closing {
        /**
         * @param index the thing (expert, lane) whose key is the current one
         */
        void close(int index, long windowStart) throws Exception;
    }

    private static final MapStateDescriptor<Long, WindowCounts> DESCRIPTOR =
            new MapStateDescriptor<>(
                    "window-accounts", LongSerializer.INSTANCE, new WindowCountsSerializer());

    private final TumblingWindows windows;
    private final EvenKeys keys;
    private final int layer;
    private final WindowSummary.Source source;
    private final int round;
    private final Output<?> output;
    private final Closing closing;
    private final MapState<Long, WindowCounts> accounts;
    private final InternalTimerService<VoidNamespace> timers;

    /** The account at hand: rows of a block are mostly of one window. Null if none. */
    private WindowCounts current;

    private long currentStart;

    public WindowCounters(
            AbstractStreamOperator<?> operator,
            Output<?> output,
            TumblingWindows windows,
            EvenKeys keys,
            int layer,
            WindowSummary.Source source,
            int round,
            Closing closing) {
        this.windows = windows;
        this.keys = keys;
        this.layer = layer;
        this.source = source;
        this.round = round;
        this.output = output;
        this.closing = closing;
        this.accounts = operator.getRuntimeContext().getMapState(DESCRIPTOR);
        this.timers =
                operator.getInternalTimerService("windows", VoidNamespaceSerializer.INSTANCE, this);
    }

    /** The account of the window that holds {@code timestamp}. */
    public WindowCounts at(long timestamp) throws Exception {
        long start = windows.startOf(timestamp);
        if (current == null || start != currentStart) {
            save();
            WindowCounts account = accounts.get(start);
            current = account == null ? WindowCounts.EMPTY : account;
            currentStart = start;
        }
        return current;
    }

    /** Counts choices of the token with this timestamp that ended in {@code outcome}. */
    public void count(long timestamp, Outcome outcome, int choices) throws Exception {
        current = at(timestamp).plus(outcome, choices);
    }

    /** Counts choices of the token with this timestamp whose outcome is counted elsewhere. */
    public void countAsked(long timestamp, int choices) throws Exception {
        current = at(timestamp).plusAsked(choices);
    }

    /** Sees to it that the window is closed in its time, even if nothing is counted in it. */
    public void open(long windowStart) throws Exception {
        at(windowStart);
        save();
    }

    /** Writes what was counted to the state: call it before the current key changes. */
    public void save() throws Exception {
        if (current != null) {
            accounts.put(currentStart, current);
            timers.registerEventTimeTimer(VoidNamespace.INSTANCE, windows.lastOf(currentStart));
            current = null;
        }
    }

    @Override
    public void onEventTime(InternalTimer<Integer, VoidNamespace> timer) throws Exception {
        long start = windows.startOf(timer.getTimestamp());
        int index = keys.indexOf(timer.getKey());
        closing.close(index, start);
        WindowCounts account = at(start);
        current = null;
        accounts.remove(start);
        // What was counted just now may have set the timer again.
        timers.deleteEventTimeTimer(VoidNamespace.INSTANCE, timer.getTimestamp());
        if (account.asked() > 0) {
            output.collect(
                    WindowSummary.SUMMARIES,
                    new StreamRecord<>(
                            new WindowSummary(layer, start, source, round, index, account),
                            timer.getTimestamp()));
        }
    }

    @Override
    public void onProcessingTime(InternalTimer<Integer, VoidNamespace> timer) {
        throw new IllegalStateException("no processing-time timer is ever set here");
    }
}
