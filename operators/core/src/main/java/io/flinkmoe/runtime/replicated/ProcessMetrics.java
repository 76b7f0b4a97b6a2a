// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.replicated;

import io.flinkmoe.runtime.layer.ExpertMetrics;
import io.flinkmoe.runtime.shared.MoeMetrics;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.HistogramStatistics;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.ThreadSafeSimpleCounter;

/**
 * The metrics of the experts of one layer, which all subtasks of a job in this process share. Each
 * subtask runs all experts: with metrics of its own, a process would report each expert once per
 * slot. The first subtask registers them in its group. If it ends before the others do, the next
 * one that opens registers them again.
 */
@Internal
final class ProcessMetrics implements AutoCloseable {

    private static final Map<Key, Shared> SHARED = new HashMap<>();

    private final Key key;
    private final Shared shared;
    private boolean closed;

    /**
     * The experts of a layer in a process.
     *
     * @param operator the name of the operator
     * @param layer the MoE layer, counted from 0
     */
    record Key(JobID job, String operator, int layer) {}

    private static final class Shared {
        final ExpertMetrics[] experts;
        int users;
        ProcessMetrics reporter;

        Shared(int numExperts) {
            experts = new ExpertMetrics[numExperts];
            for (int expert = 0; expert < numExperts; expert++) {
                experts[expert] =
                        new ExpertMetrics(ThreadSafeSimpleCounter::new, LockedHistogram::new);
            }
        }
    }

    private ProcessMetrics(Key key, Shared shared) {
        this.key = key;
        this.shared = shared;
    }

    /**
     * Joins the subtasks that share the metrics.
     *
     * @param group the group of this subtask's operator or layer
     */
    static ProcessMetrics open(Key key, int numExperts, MetricGroup group) {
        synchronized (SHARED) {
            Shared shared = SHARED.computeIfAbsent(key, k -> new Shared(numExperts));
            ProcessMetrics metrics = new ProcessMetrics(key, shared);
            shared.users++;
            if (shared.reporter == null) {
                shared.reporter = metrics;
                for (int expert = 0; expert < numExperts; expert++) {
                    shared.experts[expert].register(group, expert);
                }
            }
            return metrics;
        }
    }

    /** The metrics, by expert. */
    ExpertMetrics[] experts() {
        return shared.experts;
    }

    /** Whether this subtask reports the metrics of the experts. */
    boolean reports() {
        synchronized (SHARED) {
            return shared.reporter == this;
        }
    }

    @Override
    public void close() {
        synchronized (SHARED) {
            if (closed) {
                return;
            }
            closed = true;
            if (shared.reporter == this) {
                shared.reporter = null;
            }
            if (--shared.users == 0) {
                SHARED.remove(key);
            }
        }
    }

    /** A histogram that several threads update. */
    private static final class LockedHistogram implements Histogram {
        private final Histogram histogram = MoeMetrics.histogram();

        @Override
        public synchronized void update(long value) {
            histogram.update(value);
        }

        @Override
        public synchronized long getCount() {
            return histogram.getCount();
        }

        @Override
        public synchronized HistogramStatistics getStatistics() {
            return histogram.getStatistics();
        }
    }
}
