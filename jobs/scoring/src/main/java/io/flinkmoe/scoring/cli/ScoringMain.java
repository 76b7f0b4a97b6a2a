// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.scoring.GroupCheck;
import io.flinkmoe.scoring.ScoringJob;
import java.util.Arrays;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The main class of the job jar. It runs the scoring job with {@code flink run} or in application
 * mode.
 */
@Command(
        name = "score",
        customSynopsis = {
            "flink run flink-moe-scoring-VERSION-job.jar [score] [--config=FILE] [-D KEY=VALUE]..."
                    + " [OPTIONS]"
        },
        description = {
            "Score the tokens of a Kafka topic and write the answers to another topic.",
            "",
            "A named option overrides -D, and -D overrides the file."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        usageHelpAutoWidth = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success", "1:failure", "2:invalid usage"},
        descriptionHeading = "%n",
        optionListHeading = "%nOptions:%n",
        synopsisHeading = "Usage: ")
@Internal
public final class ScoringMain implements Callable<Integer> {

    private static final String COMMAND = "score";

    @Spec private CommandSpec spec;

    @Mixin private ScoreOptions scoreOptions;

    @Option(names = "--verbose", description = "Print the stack trace of a failure.")
    private boolean verbose;

    private ScoringMain() {}

    /**
     * Submits the job.
     *
     * @param args the options of the job, optionally after the word {@code score}
     * @throws IllegalStateException if the job cannot be submitted, or fails: Flink detects
     *     failures only by exceptions
     */
    public static void main(String[] args) {
        ScoringMain main = new ScoringMain();
        CommandLine program = commandLine(main);
        ErrorReport errors = ErrorReport.addTo(program, () -> main.verbose);
        int exitCode = program.execute(withoutCommand(args));
        if (exitCode != 0) {
            throw new IllegalStateException(
                    "score ended with exit code " + exitCode, errors.failure().orElse(null));
        }
    }

    private static CommandLine commandLine(ScoringMain main) {
        CommandLine program = new CommandLine(main);
        JobOptions.addTo(program.getCommandSpec());
        return program;
    }

    /** Removes the optional command name {@code score}. */
    private static String[] withoutCommand(String[] args) {
        return args.length > 0 && args[0].equals(COMMAND)
                ? Arrays.copyOfRange(args, 1, args.length)
                : args;
    }

    @Override
    public Integer call() throws Exception {
        Configuration options = scoreOptions.read();
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(
                        ScoringJob.flinkOptions(options));
        if (scoreOptions.isDryRun()) {
            PinnedSchemas schemas = ScoringJob.plan(env, options, this::warn);
            GroupCheck.warn(options, this::warn);
            JobGraph graph = env.getStreamGraph().getJobGraph();
            Configuration effective = new Configuration((Configuration) env.getConfiguration());
            checkNetworkMemory(graph, effective);
            MoeLayers layers = MoeLayers.builder(options).build();
            layers.openModels();
            new DryRun(graph, options, effective, layers.footprint(), schemas)
                    .print(spec.commandLine().getOut());
        } else {
            ScoringJob.build(env, ScoringJob.withAbsoluteBundle(options), this::warn);
            GroupCheck.awaitFree(options, env.getConfiguration(), this::warn);
            env.execute(ScoringJob.nameOf(env.getConfiguration(), options));
        }
        return 0;
    }

    private void checkNetworkMemory(JobGraph graph, Configuration flinkOptions) {
        MemorySize available;
        try {
            available =
                    TaskExecutorProcessUtils.processSpecFromConfig(flinkOptions)
                            .getNetworkMemSize();
        } catch (IllegalConfigurationException e) {
            warn(
                    "the network memory of the task managers is not checked, because Flink's"
                            + " configuration does not state their memory");
            return;
        }
        NetworkBuffers.check(
                graph,
                available,
                flinkOptions.get(TaskManagerOptions.NUM_TASK_SLOTS),
                flinkOptions);
    }

    private void warn(String warning) {
        spec.commandLine().getErr().println("warning: " + warning);
        spec.commandLine().getErr().flush();
    }
}
