// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.replicated;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.runtime.ReportedMetrics;
import org.apache.flink.api.common.JobID;
import org.apache.flink.metrics.MetricGroup;
import org.junit.jupiter.api.Test;

/** The metrics of experts that several subtasks of a process run. */
class ProcessMetricsTest {

    private static final String TOKENS_IN = "moe.expert.1.numTokensIn";

    private final ProcessMetrics.Key key = new ProcessMetrics.Key(new JobID(), "layers", 0);
    private final ReportedMetrics first = new ReportedMetrics();
    private final ReportedMetrics second = new ReportedMetrics();

    @Test
    void areReportedOnceWithTheSumOfAllSubtasks() {
        try (ProcessMetrics one = ProcessMetrics.open(key, 2, group(first));
                ProcessMetrics other = ProcessMetrics.open(key, 2, group(second))) {
            one.experts()[1].tokensIn.inc(3);
            other.experts()[1].tokensIn.inc(4);
            assertThat(first.counter(TOKENS_IN)).isEqualTo(7);
            assertThat(second.has(TOKENS_IN)).isFalse();
            assertThat(one.reports()).isTrue();
            assertThat(other.reports()).isFalse();
        }
    }

    @Test
    void areReportedByTheNextSubtaskIfTheFirstHasEnded() {
        ProcessMetrics one = ProcessMetrics.open(key, 2, group(first));
        ProcessMetrics other = ProcessMetrics.open(key, 2, group(first));
        one.experts()[1].tokensIn.inc(3);
        one.close();
        one.close(); // Twice does no harm.
        try (ProcessMetrics next = ProcessMetrics.open(key, 2, group(second))) {
            assertThat(next.reports()).isTrue();
            assertThat(second.counter(TOKENS_IN)).isEqualTo(3);
        }
        other.close();
    }

    @Test
    void startAtZeroAfterTheLastSubtaskHasEnded() {
        try (ProcessMetrics one = ProcessMetrics.open(key, 2, group(first))) {
            one.experts()[1].tokensIn.inc(3);
        }
        try (ProcessMetrics again = ProcessMetrics.open(key, 2, group(second))) {
            assertThat(again.experts()[1].tokensIn.getCount()).isZero();
        }
    }

    @Test
    void belongToOneLayerOfOneJob() {
        ProcessMetrics.Key otherLayer = new ProcessMetrics.Key(key.job(), "layers", 1);
        ProcessMetrics.Key otherJob = new ProcessMetrics.Key(new JobID(), "layers", 0);
        try (ProcessMetrics one = ProcessMetrics.open(key, 2, group(first));
                ProcessMetrics layer = ProcessMetrics.open(otherLayer, 2, group(second));
                ProcessMetrics job =
                        ProcessMetrics.open(otherJob, 2, group(new ReportedMetrics()))) {
            one.experts()[1].tokensIn.inc(3);
            assertThat(layer.experts()[1].tokensIn.getCount()).isZero();
            assertThat(job.experts()[1].tokensIn.getCount()).isZero();
        }
    }

    private static MetricGroup group(ReportedMetrics metrics) {
        return metrics.task().getOrAddOperator("layers");
    }
}
