// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import io.flinkmoe.api.Rejection;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.head.HeadMetrics;
import io.flinkmoe.runtime.ingest.IngestMetrics;
import io.flinkmoe.runtime.layer.CombineMetrics;
import io.flinkmoe.runtime.layer.RouterMetrics;
import io.flinkmoe.tools.flink.FlinkRest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;

/**
 * What a job has done since its tasks were started.
 *
 * @param read the records read
 * @param scored the tokens scored
 * @param late the late tokens, as the routers count them
 * @param rejected the rejected records and tokens by the kind of the reason
 * @param outcomes the choices of the scored tokens by outcome
 */
@Internal
record JobCounts(
        long read,
        long scored,
        long late,
        Map<Rejection.Kind, Long> rejected,
        Map<Outcome, Long> outcomes) {

    private static final String READ = "moe.ingest." + IngestMetrics.Name.NUM_TOKENS_IN;
    private static final String SCORED = "moe.combine." + CombineMetrics.Name.NUM_TOKENS_OUT;
    private static final String LATE = "moe.router." + RouterMetrics.Name.NUM_TOKENS_LATE;
    private static final String REJECTED_BY_ROUTER =
            "moe.router." + RouterMetrics.Name.NUM_TOKENS_DEAD_LETTERED;
    private static final String NOT_ENCODED =
            "moe.router." + RouterMetrics.Name.NUM_NON_FINITE_ENCODINGS;
    private static final String REJECTED_BY_HEAD =
            "moe.head." + HeadMetrics.Name.NUM_TOKENS_DEAD_LETTERED;

    /** The counters of the outcomes. */
    private static final Map<Outcome, String> OUTCOMES =
            new EnumMap<>(
                    Map.of(
                            Outcome.OVERFLOWED,
                            "moe.combine." + CombineMetrics.Name.NUM_CHOICES_OVERFLOWED,
                            Outcome.LATE,
                            "moe.combine." + CombineMetrics.Name.NUM_CHOICES_LATE,
                            Outcome.FAILED,
                            "moe.combine." + CombineMetrics.Name.NUM_CHOICES_FAILED,
                            Outcome.EXECUTED,
                            "moe.combine." + CombineMetrics.Name.NUM_CHOICES_EXECUTED,
                            Outcome.REROUTED,
                            "moe.combine." + CombineMetrics.Name.NUM_CHOICES_REROUTED));

    /**
     * Reads the counters of a job.
     *
     * @return empty if its last layer does not report yet
     * @throws IOException if no JobManager responds, or if a request fails
     */
    static Optional<JobCounts> read(FlinkRest rest, JobID job) throws IOException {
        List<String> names =
                new ArrayList<>(
                        List.of(
                                READ,
                                SCORED,
                                LATE,
                                REJECTED_BY_ROUTER,
                                NOT_ENCODED,
                                REJECTED_BY_HEAD));
        names.addAll(OUTCOMES.values());
        for (Rejection.Kind kind : Rejection.Kind.values()) {
            names.add(rejectedByIngest(kind));
        }
        Map<String, List<Long>> counts = rest.counters(job, names);
        List<Long> layers = counts.get(SCORED);
        if (layers.isEmpty()) {
            return Optional.empty();
        }
        Map<Rejection.Kind, Long> rejected = new EnumMap<>(Rejection.Kind.class);
        for (Rejection.Kind kind : Rejection.Kind.values()) {
            rejected.put(kind, sum(counts.get(rejectedByIngest(kind))));
        }
        long read = sum(counts.get(READ)) + sum(rejected.values());
        long notEncoded = sum(counts.get(NOT_ENCODED));
        long byHead = sum(counts.get(REJECTED_BY_HEAD));
        rejected.merge(
                Rejection.Kind.MODEL, sum(counts.get(REJECTED_BY_ROUTER)) - notEncoded, Long::sum);
        rejected.merge(Rejection.Kind.OUTPUT_NOT_FINITE, notEncoded + byHead, Long::sum);
        Map<Outcome, Long> outcomes = new EnumMap<>(Outcome.class);
        OUTCOMES.forEach((outcome, name) -> outcomes.put(outcome, sum(counts.get(name))));
        return Optional.of(
                new JobCounts(
                        read,
                        layers.get(layers.size() - 1) - byHead,
                        sum(counts.get(LATE)),
                        rejected,
                        outcomes));
    }

    /** All rejected records and tokens. */
    long allRejected() {
        return sum(rejected.values());
    }

    /** The counter of the records that are rejected for one kind of reason. */
    private static String rejectedByIngest(Rejection.Kind kind) {
        return "moe.ingest.%s.%s.%s"
                .formatted(IngestMetrics.KIND, kind, IngestMetrics.Name.NUM_TOKENS_DEAD_LETTERED);
    }

    static long sum(Collection<Long> values) {
        return values.stream().mapToLong(Long::longValue).sum();
    }
}
