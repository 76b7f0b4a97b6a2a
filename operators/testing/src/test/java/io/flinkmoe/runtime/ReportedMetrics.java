// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.metrics.CharacterFilter;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.View;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.executiongraph.ExecutionAttemptID;
import org.apache.flink.runtime.executiongraph.ExecutionGraphTestUtils;
import org.apache.flink.runtime.metrics.groups.AbstractMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskManagerMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskMetricGroup;
import org.apache.flink.runtime.metrics.util.TestingMetricRegistry;

/** Catches what an operator registers, by the path below the operator's own: moe.router.… */
public final class ReportedMetrics {

    private static final String OPERATOR = "operator.";

    private final Map<String, Metric> metrics = new HashMap<>();
    private final TaskMetricGroup task;

    public ReportedMetrics() {
        TestingMetricRegistry registry =
                TestingMetricRegistry.builder().setRegisterConsumer(this::register).build();
        ExecutionAttemptID attempt = ExecutionGraphTestUtils.createExecutionAttemptId();
        task =
                TaskManagerMetricGroup.createTaskManagerMetricGroup(
                                registry, "host", ResourceID.generate())
                        .addJob(new JobID(), "job")
                        .addTask(attempt, "task");
    }

    private void register(Metric metric, String name, AbstractMetricGroup<?> group) {
        String scope = group.getLogicalScope(CharacterFilter.NO_OP_FILTER, '.');
        String value =
                group.getAllVariables().entrySet().stream()
                        .filter(variable -> variable.getKey().matches("<(expert|model|kind)>"))
                        .map(variable -> "." + variable.getValue())
                        .findAny()
                        .orElse("");
        String path = scope + value + "." + name;
        metrics.put(path.substring(path.lastIndexOf(OPERATOR) + OPERATOR.length()), metric);
    }

    /** The group of a task whose operator reports here. */
    public TaskMetricGroup task() {
        return task;
    }

    /** Whether a metric is reported. */
    public boolean has(String path) {
        return metrics.containsKey(path);
    }

    public long counter(String path) {
        return ((Counter) metric(path)).getCount();
    }

    public Number gauge(String path) {
        Metric gauge = metric(path);
        if (gauge instanceof View view) {
            view.update(); // A task manager does so every few seconds.
        }
        return (Number) ((Gauge<?>) gauge).getValue();
    }

    public Histogram histogram(String path) {
        return (Histogram) metric(path);
    }

    private Metric metric(String path) {
        Metric metric = metrics.get(path);
        if (metric == null) {
            throw new AssertionError(path + " is not reported; these are: " + metrics.keySet());
        }
        return metric;
    }
}
