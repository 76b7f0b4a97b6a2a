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
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * The counts of an operator's open windows, per key in keyed state. {@link #windows()} tells the
 * operator which windows it must close. Counts that are added to a window after that open it again,
 * and the next watermark closes it. All other methods refer to the current key.
 */
@Internal
public final class WindowCounters implements ChoiceCounter {

    private static final MapStateDescriptor<Long, WindowCounts> DESCRIPTOR =
            new MapStateDescriptor<>(
                    "window-counts", LongSerializer.INSTANCE, new WindowCountsSerializer());

    private final AbstractStreamOperator<?> operator;
    private final EvenKeys keys;
    private final Windows windows;
    private final OpenWindows open;
    private final MapState<Long, WindowCounts> state;

    /**
     * The counts of one window that are not yet in the state. Most rows of a block share a window.
     */
    private WindowCounts current;

    private long currentStart;

    /**
     * @param keys the keys of the operator's experts or lanes
     */
    public WindowCounters(AbstractStreamOperator<?> operator, EvenKeys keys, Windows windows)
            throws Exception {
        this.operator = operator;
        this.keys = keys;
        this.windows = windows;
        this.open = new OpenWindows(windows);
        this.state = operator.getRuntimeContext().getMapState(DESCRIPTOR);
        for (int index : keys.owned(operator.getRuntimeContext().getTaskInfo())) {
            operator.setCurrentKey(keys.keyOf(index));
            for (long start : state.keys()) {
                open.add(index, start);
            }
        }
    }

    /**
     * Returns the counter of an operator: {@link ChoiceCounter#NONE} if windows never end.
     *
     * @param keys the keys of the operator's experts or lanes
     */
    public static ChoiceCounter of(
            AbstractStreamOperator<?> operator, EvenKeys keys, Windows windows) throws Exception {
        return windows.areBounded() ? new WindowCounters(operator, keys, windows) : NONE;
    }

    @Override
    public OpenWindows windows() {
        return open;
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

    /** Counts choices that an expert's admission admits. */
    public void countAdmitted(long timestamp, int choices) throws Exception {
        current = at(timestamp).plusAdmitted(choices);
    }

    /** Counts choices that an expert's admission passes on to their next expert. */
    public void countPassedOn(long timestamp, int choices) throws Exception {
        current = at(timestamp).plusPassedOn(choices);
    }

    @Override
    public void countBlock(long[] timestamps, byte[] outcomes, int k) throws Exception {
        for (int choice = 0; choice < outcomes.length; choice++) {
            long timestamp = timestamps[choice / k];
            if (choice % k == 0 && outcomes[choice] != Outcome.LATE.code()) {
                current = at(timestamp).plusTokens(1);
            }
            if (outcomes[choice] == Outcome.NO_CHOICE) {
                continue;
            }
            current =
                    outcomes[choice] == Choices.PENDING
                            ? at(timestamp).plusAsked(1)
                            : at(timestamp).plus(Outcome.ofCode(outcomes[choice]), 1);
        }
        save();
    }

    /** Makes sure that a window is closed, even if nothing is counted in it. */
    public void open(long windowStart) throws Exception {
        at(windowStart);
        save();
    }

    @Override
    public void save() throws Exception {
        if (current != null) {
            state.put(currentStart, current);
            open.add(index(), currentStart);
            current = null;
        }
    }

    @Override
    public WindowCounts remove(long windowStart) throws Exception {
        WindowCounts counts = at(windowStart);
        current = null;
        state.remove(windowStart);
        open.remove(index(), windowStart);
        return counts;
    }

    private int index() {
        return keys.indexOf((Integer) operator.getCurrentKey());
    }
}
