// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import io.flinkmoe.config.Footprint;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.pinned.PinnedSchemas.Pinned;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.record.RegistryOptions;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ConfigurationUtils;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.OperatorIDPair;
import org.apache.flink.runtime.jobgraph.JobEdge;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;

/**
 * Prints a scoring job without running it: its graph, its options, the placement of its experts,
 * and estimates of memory and state.
 */
@Internal
public final class DryRun {

    /** Printed instead of values that can be secret. */
    private static final String HIDDEN = "***";

    private static final int WINDOW_TOKENS = 1000;

    private final JobGraph graph;
    private final Configuration options;
    private final Configuration flinkOptions;
    private final Footprint footprint;
    private final PinnedSchemas schemas;

    /**
     * @param graph the graph that Flink would execute
     * @param options the options of command line and file
     * @param flinkOptions the options of the environment, including those that the job sets
     * @param schemas the schemas of records and answers
     */
    public DryRun(
            JobGraph graph,
            Configuration options,
            Configuration flinkOptions,
            Footprint footprint,
            PinnedSchemas schemas) {
        this.graph = graph;
        this.options = options;
        this.flinkOptions = flinkOptions;
        this.footprint = footprint;
        this.schemas = schemas;
    }

    public void print(PrintWriter out) {
        out.println("Job graph (the operators of a task are chained)");
        out.println(operators());
        out.println("Experts");
        out.println(placement());
        if (!schemas.isEmpty()) {
            out.println("Schemas");
            out.println(schemas());
            schemas.get(PinnedSchemas.ANSWER)
                    .ifPresent(answer -> out.printf("Schema of answers%n%s%n%n", answer.schema()));
        }
        out.println("Job options");
        out.println(jobOptions());
        out.println("Flink options");
        out.println(flinkOptions());
        out.println("Estimates");
        out.println(estimates());
        out.println("All checks passed. Nothing was started.");
        out.flush();
    }

    private TextTable operators() {
        TextTable table =
                new TextTable(
                        ">task",
                        "operator",
                        "uid",
                        ">parallelism",
                        ">max parallelism",
                        "input tasks");
        List<JobVertex> tasks = graph.getVerticesSortedTopologicallyFromSources();
        for (JobVertex task : tasks) {
            List<OperatorIDPair> operators = new ArrayList<>(task.getOperatorIDs());
            String inputs =
                    task.getInputs().stream()
                            .map(edge -> describe(edge, tasks))
                            .sorted()
                            .collect(Collectors.joining(", "));
            // Flink lists the last operator of a chain first.
            for (int i = operators.size() - 1; i >= 0; i--) {
                OperatorIDPair operator = operators.get(i);
                boolean isFirst = i == operators.size() - 1;
                table.row(
                        isFirst ? tasks.indexOf(task) + 1 : "",
                        operator.getUserDefinedOperatorName(),
                        operator.getUserDefinedOperatorUid(),
                        task.getParallelism(),
                        task.getMaxParallelism(),
                        isFirst ? inputs : "");
            }
        }
        return table;
    }

    private static String describe(JobEdge edge, List<JobVertex> tasks) {
        int producer = tasks.indexOf(edge.getSource().getProducer()) + 1;
        return "%d (%s)".formatted(producer, edge.getShipStrategyName().toLowerCase(Locale.ROOT));
    }

    private TextTable placement() {
        TextTable table = new TextTable(">layer", ">subtask", "experts");
        for (int layer = 0; layer < footprint.spec().layers().size(); layer++) {
            LayerSpec layerSpec = footprint.spec().layers().get(layer);
            EvenKeys keys = new EvenKeys(layerSpec.numExperts());
            if (MoeSettings.of(options).isReplicated()) {
                table.row(layer, "all", ranges(IntStream.range(0, keys.count()).boxed().toList()));
                continue;
            }
            int parallelism = parallelismOfExperts(layer);
            List<List<Integer>> experts = new ArrayList<>();
            for (int subtask = 0; subtask < parallelism; subtask++) {
                experts.add(new ArrayList<>());
            }
            for (int expert = 0; expert < keys.count(); expert++) {
                experts.get(keys.subtaskOf(expert, parallelism)).add(expert);
            }
            for (int subtask = 0; subtask < parallelism; subtask++) {
                table.row(layer, subtask + 1, ranges(experts.get(subtask)));
            }
        }
        return table;
    }

    private int parallelismOfExperts(int layer) {
        String uid = "moe-expert-" + layer;
        for (JobVertex task : graph.getVertices()) {
            for (OperatorIDPair operator : task.getOperatorIDs()) {
                if (uid.equals(operator.getUserDefinedOperatorUid())) {
                    return task.getParallelism();
                }
            }
        }
        throw new IllegalStateException("the job has no operator " + uid);
    }

    /** Formats ascending numbers: 0 1 2 5 becomes "0-2 5". */
    static String ranges(List<Integer> numbers) {
        StringBuilder text = new StringBuilder();
        for (int from = 0, to; from < numbers.size(); from = to) {
            to = from + 1;
            while (to < numbers.size() && numbers.get(to) == numbers.get(to - 1) + 1) {
                to++;
            }
            text.append(from == 0 ? "" : " ").append(numbers.get(from));
            if (to - from > 1) {
                text.append(to - from > 2 ? "-" : " ").append(numbers.get(to - 1));
            }
        }
        return text.toString();
    }

    private TextTable schemas() {
        TextTable table = new TextTable("", "", "");
        for (String name : PinnedSchemas.NAMES) {
            schemas.get(name)
                    .ifPresent(
                            pinned ->
                                    table.row(
                                            name + "s",
                                            pinned.origin(),
                                            pinned.id() == Pinned.NO_ID
                                                    ? ""
                                                    : "id " + pinned.id()));
        }
        return table;
    }

    private TextTable jobOptions() {
        TextTable table = new TextTable("", "", "");
        for (JobOption option : JobOptions.all()) {
            boolean given = options.contains(option.option());
            String value = given ? value(option) : option.defaultText();
            String origin = given ? "" : value.isEmpty() ? "(not set)" : "(default)";
            table.row(option.key(), value, origin);
        }
        return table;
    }

    private String value(JobOption option) {
        if (RegistryOptions.isSecret(option.option())) {
            return HIDDEN;
        }
        Object value = options.get(option.option());
        if (value instanceof Map<?, ?> map) {
            // The values for Kafka can be passwords.
            boolean isSecret = option.option().equals(KafkaOptions.PROPERTIES);
            return map.entrySet().stream()
                    .map(entry -> entry.getKey() + ":" + (isSecret ? HIDDEN : entry.getValue()))
                    .sorted()
                    .collect(Collectors.joining(","));
        }
        return options.toMap().get(option.key());
    }

    private TextTable flinkOptions() {
        TextTable table = new TextTable("", "");
        new TreeMap<>(ConfigurationUtils.hideSensitiveValues(flinkOptions.toMap()))
                .forEach((key, value) -> table.row(key, value));
        return table;
    }

    private TextTable estimates() {
        int slots = flinkOptions.get(TaskManagerOptions.NUM_TASK_SLOTS);
        TextTable table = new TextTable("", ">", "");
        table.row(
                "models",
                size(footprint.sessionBytes()),
                "in a process that opens all %d".formatted(footprint.sessions()));
        table.row("direct buffers", size(footprint.directBytes()), "per slot");
        table.row(
                "off-heap memory",
                NetworkBuffers.mebibytes(new MemorySize(footprint.offHeapBytes(slots))),
                "minimum of %s for %d %s"
                        .formatted(
                                TaskManagerOptions.TASK_OFF_HEAP_MEMORY.key(),
                                slots,
                                slots == 1 ? "slot" : "slots"));
        MemorySize segment = flinkOptions.get(TaskManagerOptions.MEMORY_SEGMENT_SIZE);
        NetworkBuffers buffers = NetworkBuffers.of(graph, slots, flinkOptions);
        table.row(
                "network memory",
                NetworkBuffers.mebibytes(buffers.neededMemory(segment)),
                "minimum of %s for %d %s, with segments of %s; %s at full speed"
                        .formatted(
                                TaskManagerOptions.NETWORK_MEMORY_MIN.key(),
                                slots,
                                slots == 1 ? "slot" : "slots",
                                segment,
                                NetworkBuffers.mebibytes(buffers.usedMemory(segment))));
        if (footprint.windowBytesPerToken() > 0) {
            table.row(
                    "state",
                    size(footprint.windowBytes(WINDOW_TOKENS)),
                    "per %,d tokens of each open window".formatted(WINDOW_TOKENS));
        }
        return table;
    }

    private static String size(long bytes) {
        return String.format(Locale.ROOT, "%,.1f MB", bytes / 1e6);
    }
}
