// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.checkpoint.AbstractCheckpointStats;
import org.apache.flink.runtime.checkpoint.CheckpointStatsStatus;
import org.apache.flink.runtime.checkpoint.SubtaskStateStats;
import org.apache.flink.runtime.checkpoint.TaskStateStats;
import org.apache.flink.runtime.executiongraph.AccessExecutionGraph;
import org.apache.flink.runtime.executiongraph.AccessExecutionJobVertex;

/**
 * How long a checkpoint took, and where.
 *
 * @param id the number of the checkpoint
 * @param start when it was triggered, in milliseconds since the epoch
 * @param millis its duration; if it has not ended, its age
 * @param ended whether it has ended
 * @param bytes what it wrote
 * @param tasks the tasks of the job in the order of the stream
 */
@Internal
record CheckpointTimes(
        long id, long start, long millis, boolean ended, long bytes, List<Task> tasks) {

    /**
     * A task, with the longest times of all its subtasks in milliseconds.
     *
     * @param name the names of its operators
     * @param acknowledged whether all subtasks have acknowledged the checkpoint
     * @param startDelay from the trigger to the first barrier
     * @param alignment from the first barrier to the last
     * @param sync the part in which the task processes nothing else
     * @param async the part in the background
     * @param total from the trigger to the acknowledgement
     * @param bytes the size of the state of all subtasks
     * @param inFlight the bytes of in-flight records of all subtasks
     */
    record Task(
            String name,
            boolean acknowledged,
            long startDelay,
            long alignment,
            long sync,
            long async,
            long total,
            long bytes,
            long inFlight) {}

    /** All checkpoints of a job that are known, except those that failed. */
    static List<CheckpointTimes> of(AccessExecutionGraph graph) {
        List<CheckpointTimes> all = new ArrayList<>();
        long now = System.currentTimeMillis();
        for (AbstractCheckpointStats stats :
                graph.getCheckpointStatsSnapshot().getHistory().getCheckpoints()) {
            boolean ended = stats.getStatus() != CheckpointStatsStatus.IN_PROGRESS;
            if (stats.getStatus() != CheckpointStatsStatus.FAILED) {
                all.add(
                        new CheckpointTimes(
                                stats.getCheckpointId(),
                                stats.getTriggerTimestamp(),
                                ended
                                        ? stats.getEndToEndDuration()
                                        : now - stats.getTriggerTimestamp(),
                                ended,
                                stats.getCheckpointedSize(),
                                tasks(graph, stats)));
            }
        }
        return all;
    }

    private static List<Task> tasks(AccessExecutionGraph graph, AbstractCheckpointStats stats) {
        List<Task> tasks = new ArrayList<>();
        for (AccessExecutionJobVertex vertex : graph.getVerticesTopologically()) {
            TaskStateStats task = stats.getTaskStateStats(vertex.getJobVertexId());
            if (task != null) {
                tasks.add(task(vertex.getName(), task, stats.getTriggerTimestamp()));
            }
        }
        return tasks;
    }

    private static Task task(String name, TaskStateStats stats, long trigger) {
        long startDelay = 0;
        long alignment = 0;
        long sync = 0;
        long async = 0;
        long total = 0;
        for (SubtaskStateStats subtask : stats.getSubtaskStats()) {
            if (subtask != null) {
                startDelay = Math.max(startDelay, subtask.getCheckpointStartDelay());
                alignment = Math.max(alignment, subtask.getAlignmentDuration());
                sync = Math.max(sync, subtask.getSyncCheckpointDuration());
                async = Math.max(async, subtask.getAsyncCheckpointDuration());
                total = Math.max(total, subtask.getEndToEndDuration(trigger));
            }
        }
        return new Task(
                shortName(name),
                stats.getNumberOfAcknowledgedSubtasks() == stats.getNumberOfSubtasks(),
                startDelay,
                alignment,
                sync,
                async,
                total,
                stats.getStateSize(),
                stats.getPersistedDataStats());
    }

    /** The names of a task's operators of the layers; the task's own name if it has none. */
    static String shortName(String name) {
        List<String> operators = new ArrayList<>();
        for (String operator : name.split("[^A-Za-z0-9-]+")) {
            if (operator.startsWith("moe-")) {
                operators.add(operator.substring("moe-".length()));
            }
        }
        return operators.isEmpty() ? name : String.join("+", operators);
    }

    static CheckpointTimes longest(List<CheckpointTimes> all) {
        return all.stream().max(Comparator.comparingLong(CheckpointTimes::millis)).orElseThrow();
    }

    /** The checkpoints that had not ended at a time. */
    static List<CheckpointTimes> since(List<CheckpointTimes> all, long time) {
        return all.stream()
                .filter(checkpoint -> checkpoint.start + checkpoint.millis >= time)
                .toList();
    }

    /** The size of the state by task. */
    Map<String, Long> bytesByTask() {
        Map<String, Long> bytes = new TreeMap<>();
        tasks.forEach(task -> bytes.merge(task.name(), task.bytes(), Long::sum));
        return bytes;
    }

    /** The size of the whole state. */
    long stateBytes() {
        return tasks.stream().mapToLong(Task::bytes).sum();
    }
}
