package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.onnx.LayerRouter;
import io.flinkmoe.routing.RoutingHealth;
import io.flinkmoe.routing.RoutingMonitor;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/**
 * The routing health of what one router's subtask routes: of each window that capacity is counted
 * in, known once it is closed; without capacity, of every {@value #TOKENS} tokens. Late tokens and
 * those that cannot be routed do not count. Kept in memory only: after a restart the windows then
 * open count from the checkpoint on.
 */
@Internal
public final class HealthWindows {

    /** Tokens of a window where there are no windows. */
    public static final int TOKENS = 4096;

    /** Of so many tokens, one gives its probabilities: see {@link RoutingMonitor}. */
    private static final int STRIDE = 16;

    private final TumblingWindows windows;
    private final int numExperts;
    private final int k;
    private final TreeMap<Long, RoutingMonitor> open = new TreeMap<>();

    /** Read by the threads that report metrics. */
    private volatile RoutingHealth last;

    /**
     * @param windows null without capacity
     */
    HealthWindows(TumblingWindows windows, int numExperts, int k) {
        this.windows = windows;
        this.numExperts = numExperts;
        this.k = k;
    }

    /** The last health that is known, or null. */
    RoutingHealth last() {
        return last;
    }

    /** Adds a routed block. */
    void add(TokenBlock tokens, LayerRouter.Routed routed, Choices choices) {
        RoutingMonitor monitor = null;
        long start = 0;
        int ranks = choices.ranks();
        for (int row = 0; row < tokens.rows(); row++) {
            if (tokens.isLate(row) || choices.experts()[row * ranks] < 0) {
                continue;
            }
            long own = windows == null ? 0 : windows.startOf(tokens.timestamps()[row]);
            if (monitor == null || own != start) {
                start = own;
                monitor = monitor(own);
            }
            monitor.add(routed.logits(), choices.experts(), choices.weights(), ranks, row);
        }
        if (windows == null && monitor != null && monitor.tokens() >= TOKENS) {
            last = monitor.drain();
        }
    }

    private RoutingMonitor monitor(long start) {
        return open.computeIfAbsent(start, s -> new RoutingMonitor(numExperts, k, STRIDE));
    }

    /** Closes the windows that a watermark ends. */
    void advance(long watermark) {
        if (windows == null) {
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
