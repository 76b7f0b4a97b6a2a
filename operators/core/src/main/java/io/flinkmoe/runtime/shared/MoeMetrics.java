// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.onnx.SessionCache;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * The metric groups of all operators: the group {@code moe}, with one subgroup per kind of
 * operator. The operator's name contains the layer and the round. Metrics are updated once per
 * block. Counters start at 0 after each restart of a task, like Flink's own.
 */
@Internal
public final class MoeMetrics {

    /** The group of all metrics of this library. */
    public static final String GROUP = "moe";

    /** The key of an expert's group; the value is the expert's number. */
    public static final String EXPERT = "expert";

    /** The key of a gate's group; the value is the gate's name, or its number. */
    public static final String GATE = "gate";

    /** The number of most recent values from which a histogram computes quantiles. */
    private static final int HISTORY = 512;

    private MoeMetrics() {}

    /**
     * The metrics of the models that are open in the process, no matter which job opened them. They
     * are in the group {@code moe.model.<modelVersion>}, with the variable {@code model}.
     */
    public enum Name {
        /** Gauge: open models. */
        SESSIONS_LOADED("sessionsLoaded"),
        /** Gauge: total size of their files, in bytes. */
        SESSION_BYTES_LOADED("sessionBytesLoaded");

        private final String text;

        Name(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    /** Returns the group of a kind of operator. */
    public static MetricGroup group(MetricGroup operator, String kind) {
        return operator.addGroup(GROUP).addGroup(kind);
    }

    /** Registers the metrics of the open models. */
    public static void registerModel(MetricGroup operator, String version) {
        MetricGroup group = operator.addGroup(GROUP).addGroup("model", version);
        group.gauge(Name.SESSIONS_LOADED.text, () -> SessionCache.shared().size());
        group.gauge(Name.SESSION_BYTES_LOADED.text, () -> SessionCache.shared().bytes());
    }

    /** Creates a histogram for one thread. */
    public static Histogram histogram() {
        return new DescriptiveStatisticsHistogram(HISTORY);
    }

    /** Registers a histogram. */
    public static Histogram histogram(MetricGroup group, Enum<?> name) {
        return group.histogram(name.toString(), histogram());
    }
}
