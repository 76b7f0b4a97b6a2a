package io.flinkmoe.runtime.shared;

import io.flinkmoe.onnx.SessionCache;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * What all our operators report in the same way: in the group {@code moe}, and in it one group per
 * kind of operator. Which layer and which round it is says the operator's name. Everything is
 * counted per block; counters begin at 0 after each restart of a task, as Flink's own do.
 */
@Internal
public final class MoeMetrics {

    public static final String GROUP = "moe";

    /** The group of one expert: its value is the expert's number. */
    public static final String EXPERT = "expert";

    /** Values that a histogram's quantiles are taken from: the last ones. */
    private static final int HISTORY = 512;

    private MoeMetrics() {}

    /**
     * What is open in this process, whoever opened it, in the group {@code
     * moe.model.<modelVersion>}, the version being the variable {@code model}.
     */
    public enum Name {
        /** Gauge: models that are open. */
        SESSIONS_LOADED("sessionsLoaded"),
        /** Gauge: the size of their files, in bytes. */
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

    public static MetricGroup group(MetricGroup operator, String kind) {
        return operator.addGroup(GROUP).addGroup(kind);
    }

    public static void registerModel(MetricGroup operator, String version) {
        MetricGroup group = operator.addGroup(GROUP).addGroup("model", version);
        group.gauge(Name.SESSIONS_LOADED.text, () -> SessionCache.shared().size());
        group.gauge(Name.SESSION_BYTES_LOADED.text, () -> SessionCache.shared().bytes());
    }

    public static Histogram histogram(MetricGroup group, Enum<?> name) {
        return group.histogram(name.toString(), new DescriptiveStatisticsHistogram(HISTORY));
    }
}
