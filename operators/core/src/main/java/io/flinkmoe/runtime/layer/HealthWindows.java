// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.capacity.Windows;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.health.RoutingHealth;
import io.flinkmoe.routing.health.RoutingMonitor;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/**
 * The routing health of one gate in one router subtask: per capacity window, once the window is
 * closed, or without a capacity per {@value #TOKENS} tokens. Late tokens and tokens that cannot be
 * routed do not count. Kept in memory only: after a restart, the open windows count only the tokens
 * after the checkpoint.
 */
@Internal
public final class HealthWindows {

    /** The number of tokens in a window if there is no capacity. */
    public static final int TOKENS = 4096;

    /** One in this many tokens contributes its probabilities; see {@link RoutingMonitor}. */
    private static final int STRIDE = 16;

    private final Windows windows;
    private final int gate;
    private final int numExperts;
    private final int k;
    private final TreeMap<Long, RoutingMonitor> open = new TreeMap<>();

    /** Read by the threads that report metrics. */
    private volatile RoutingHealth last;

    /**
     * @param windows the windows in which capacity is counted
     * @param gate the gate, counted from 0
     */
    HealthWindows(Windows windows, int gate, RoutingConfig routing) {
        this.windows = windows;
        this.gate = gate;
        this.numExperts = routing.numExperts();
        this.k = routing.k();
    }

    /** Returns the health of the last complete window; null before there is one. */
    RoutingHealth last() {
        return last;
    }

    /** Adds a routed block. */
    void add(TokenBlock tokens, Routed routed, Choices choices) {
        RoutingMonitor monitor = null;
        long start = 0;
        int ranks = choices.ranks();
        for (int row = 0; row < tokens.rows(); row++) {
            if (tokens.isLate(row) || choices.experts()[row * ranks] < 0) {
                continue;
            }
            long own = windows.startOf(tokens.timestamps()[row]);
            if (monitor == null || own != start) {
                start = own;
                monitor = monitor(own);
            }
            monitor.add(
                    routed.logits(gate),
                    routed.columns(gate),
                    routed.weights(gate),
                    routed.ranks(gate),
                    row);
        }
        if (!windows.areBounded() && monitor != null && monitor.tokens() >= TOKENS) {
            last = monitor.drain();
        }
    }

    private RoutingMonitor monitor(long start) {
        return open.computeIfAbsent(start, s -> new RoutingMonitor(numExperts, k, STRIDE));
    }

    /** Closes the windows that end at or before a watermark. */
    void advance(long watermark) {
        if (!windows.areBounded()) {
            return;
        }
        for (Map.Entry<Long, RoutingMonitor> first = open.firstEntry();
                first != null && windows.lastOf(first.getKey()) <= watermark;
                first = open.firstEntry()) {
            last = first.getValue().drain();
            open.remove(first.getKey());
        }
    }
}
