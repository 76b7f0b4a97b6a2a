// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.flights.FlightLabels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/** How well the answers predict the truth, for each task. */
@Internal
final class Quality {

    /** The columns of a table with a row per task. */
    static final List<String> COLUMNS =
            List.of(
                    "task",
                    "flights that are",
                    ">observed",
                    ">mean predicted",
                    ">AUC",
                    ">log loss");

    private final List<TaskQuality> tasks = new ArrayList<>();

    /**
     * @param labels the true answers to each task, in the order of the model's outputs
     * @param scored the positions of the flights that have an answer
     */
    Quality(DemoResults results, List<FlightLabels> labels, int[] scored) {
        int[] withOutput = Arrays.stream(scored).filter(results::hasOutput).toArray();
        for (FlightLabels ofTask : labels) {
            tasks.add(new TaskQuality(results, tasks.size(), ofTask, withOutput));
        }
    }

    List<TaskQuality> tasks() {
        return tasks;
    }

    /** The tasks that some flights fulfil, and others do not. */
    List<TaskQuality> measurable() {
        return tasks.stream().filter(TaskQuality::isMeasurable).toList();
    }

    /** Whether there are several tasks. */
    boolean isOfSeveral() {
        return tasks.size() > 1;
    }

    /** What to call a task in a text: a name if there are several, otherwise another word. */
    String nameOf(TaskQuality task, String ifOnly) {
        return isOfSeveral() ? task.task().name() : ifOnly;
    }

    /** The AUC of each task. */
    List<Figure> figures() {
        return tasks.stream()
                .map(
                        task ->
                                new Figure(
                                        isOfSeveral() ? "AUC " + task.task().name() : "AUC",
                                        task.aucText(),
                                        "against the true delays"))
                .toList();
    }

    /** The AUC of each measurable task, as text. */
    String aucs() {
        return measurable().stream()
                .map(
                        task ->
                                isOfSeveral()
                                        ? task.task().name() + " " + task.aucText()
                                        : task.aucText())
                .collect(Collectors.joining(", "));
    }

    /** A row per task. */
    List<List<String>> rows() {
        return tasks.stream()
                .map(task -> Arrays.stream(task.cells()).map(String::valueOf).toList())
                .toList();
    }

    TextTable table() {
        TextTable table = new TextTable(COLUMNS.toArray(new String[0]));
        rows().forEach(row -> table.row(row.toArray()));
        return table;
    }
}
