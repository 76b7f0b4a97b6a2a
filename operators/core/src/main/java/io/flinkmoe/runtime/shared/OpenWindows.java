// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.Windows;
import java.util.BitSet;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntToLongFunction;
import org.apache.flink.annotation.Internal;

/**
 * The windows in which experts or lanes of a subtask have something to close. Flink's timers would
 * close all windows that a watermark ends in one go; an operator takes them from here one by one.
 */
@Internal
public final class OpenWindows {

    /** Without a capacity, no window is ever open. */
    public static final OpenWindows NONE = new OpenWindows(new Dropless().windows());

    private final Windows windows;
    private final TreeMap<Long, BitSet> byStart = new TreeMap<>();

    /**
     * An expert or lane and a window that must be closed.
     *
     * @param index the expert or lane
     * @param start first timestamp of the window, milliseconds since the epoch
     */
    public record Window(int index, long start) {}

    public OpenWindows(Windows windows) {
        this.windows = windows;
    }

    /** Adds a window of expert or lane {@code index}. */
    void add(int index, long start) {
        byStart.computeIfAbsent(start, s -> new BitSet()).set(index);
    }

    /** Removes a window of expert or lane {@code index}. */
    void remove(int index, long start) {
        BitSet open = byStart.get(start);
        if (open != null) {
            open.clear(index);
            if (open.isEmpty()) {
                byStart.remove(start);
            }
        }
    }

    /** Whether no window is open. */
    public boolean isEmpty() {
        return byStart.isEmpty();
    }

    /**
     * Returns the first window that is closed; null if there is none.
     *
     * @param watermark the watermark of an expert or lane: after a restart they may differ
     */
    public Window firstClosed(IntToLongFunction watermark) {
        for (Map.Entry<Long, BitSet> open : byStart.entrySet()) {
            BitSet indexes = open.getValue();
            for (int i = indexes.nextSetBit(0); i >= 0; i = indexes.nextSetBit(i + 1)) {
                if (windows.isClosed(open.getKey(), watermark.applyAsLong(i))) {
                    return new Window(i, open.getKey());
                }
            }
        }
        return null;
    }
}
