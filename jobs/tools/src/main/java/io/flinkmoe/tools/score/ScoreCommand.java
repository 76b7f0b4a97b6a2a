// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.apache.flink.configuration.TaskManagerOptions.MEMORY_SEGMENT_SIZE;
import static org.apache.flink.configuration.TaskManagerOptions.NUM_TASK_SLOTS;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.GlobalWindow;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.scoring.GroupCheck;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.scoring.cli.DryRun;
import io.flinkmoe.scoring.cli.ScoreOptions;
import io.flinkmoe.tools.cluster.LocalCluster;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Runs the scoring job in this process or on the local cluster. */
@Command(
        name = "score",
        customSynopsis = "moe score [--config=FILE] [-D KEY=VALUE]... [OPTIONS]",
        description = {
            "Score the tokens of a Kafka topic and write the answers to another topic.",
            "",
            "The job runs in this process until Ctrl-C. With --cluster it runs on the local"
                    + " cluster, and with `flink run` on any Flink cluster. A named option overrides"
                    + " -D, and -D overrides the file."
        },
        footer = {
            "  moe score --bundle model --kafka.brokers localhost:9092 \\",
            "            --source.topic tokens --sink.topic scored \\",
            "            --dead-letter.topic rejected",
            "  moe score --config job.yaml --capacity.policy fixed --capacity.size 500",
            "  moe score --config job.yaml --dry-run",
            "  moe score --config job.yaml --create-topics",
            "  moe score --config job.yaml -D rest.port=8081 -D parallelism.default=4",
            "  moe score --config job.yaml --cluster",
            "  flink run flink-moe-scoring-VERSION-job.jar score --config job.yaml",
            "",
            "job.yaml, with nested or dotted keys:",
            "  moe:",
            "    bundle: /models/flights",
            "    kafka.brokers: kafka-1:9092,kafka-2:9092",
            "    source.topic: tokens",
            "    sink.topic: scored",
            "    dead-letter.topic: rejected",
            "  execution.checkpointing.interval: 10 s"
        })
@Internal
public final class ScoreCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Mixin private ScoreOptions scoreOptions;

    @Option(
            names = "--cluster",
            paramLabel = "DIR",
            arity = "0..1",
            fallbackValue = "",
            description =
                    "Run on the cluster that `moe cluster start` has started. DIR is the folder"
                            + " that was given to it with --dir, if any.")
    private String clusterFolder;

    @Option(
            names = "--create-topics",
            description =
                    "Create the topics that the job writes, unless they exist, with as many"
                            + " partitions as the source topic. A dry run creates none.")
    private boolean createsTopics;

    @Override
    public Integer call() throws Exception {
        Configuration options = options();
        Configuration flinkOptions = ScoringJob.flinkOptions(options);
        if (createsTopics && !scoreOptions.isDryRun()) {
            ScoringJob.check(options);
            List<String> created = OutputTopics.create(options);
            created.forEach(
                    topic -> spec.commandLine().getOut().println("Created the topic " + topic));
        }
        if (scoreOptions.isDryRun()) {
            print(options, flinkOptions);
        } else if (clusterFolder != null) {
            submit(options, flinkOptions);
        } else {
            runHere(options, flinkOptions);
        }
        return 0;
    }

    private void print(Configuration options, Configuration flinkOptions) throws Exception {
        try (EmbeddedFlink flink = new EmbeddedFlink(flinkOptions)) {
            LocalCluster cluster = clusterFolder == null ? null : cluster();
            StreamExecutionEnvironment env =
                    cluster == null
                            ? flink.environment()
                            : new StreamExecutionEnvironment(cluster.jobOptions(flinkOptions));
            PinnedSchemas schemas = ScoringJob.plan(env, options, this::warn);
            GroupCheck.warn(options, this::warn);
            JobGraph graph = env.getStreamGraph().getJobGraph();
            Configuration effective = new Configuration((Configuration) env.getConfiguration());
            if (cluster != null) { // A job cannot change these of a running cluster.
                effective.set(NUM_TASK_SLOTS, cluster.options().get(NUM_TASK_SLOTS));
                effective.set(MEMORY_SEGMENT_SIZE, cluster.options().get(MEMORY_SEGMENT_SIZE));
            } else if (!effective.contains(NUM_TASK_SLOTS)) { // The default of the MiniCluster.
                effective.set(NUM_TASK_SLOTS, graph.getMaximumParallelism());
            }
            if (cluster != null) {
                cluster.checkNetworkMemory(graph);
            }
            MoeLayers layers = MoeLayers.builder(options).build();
            layers.openModels();
            new DryRun(graph, options, effective, layers.footprint(), schemas)
                    .print(spec.commandLine().getOut());
        }
    }

    private void submit(Configuration options, Configuration flinkOptions) throws Exception {
        LocalCluster cluster = cluster();
        Configuration jobOptions = cluster.jobOptions(flinkOptions);
        StreamExecutionEnvironment env = new StreamExecutionEnvironment(jobOptions);
        ScoringJob.build(env, ScoringJob.withAbsoluteBundle(options), this::warn);
        cluster.checkNetworkMemory(env.getStreamGraph(false).getJobGraph());
        GroupCheck.awaitFree(options, env.getConfiguration(), this::warn);
        JobClient job = env.executeAsync(ScoringJob.nameOf(jobOptions, options));
        announce(options);
        PrintWriter out = spec.commandLine().getOut();
        out.printf(
                "The job is %s, at parallelism %d.%nWeb UI: %s%nStop it with a savepoint: %s%n",
                job.getJobID(),
                env.getParallelism(),
                cluster.webUrl(),
                cluster.command("flink stop " + job.getJobID()));
        out.flush();
    }

    private LocalCluster cluster() throws Exception {
        Installation installation = Installation.here();
        Path folder =
                clusterFolder.isEmpty() ? installation.clusterFolder() : Path.of(clusterFolder);
        return LocalCluster.find(folder, installation);
    }

    private void runHere(Configuration options, Configuration flinkOptions) throws Exception {
        CommandLine command = spec.commandLine();
        try (EmbeddedFlink flink = new EmbeddedFlink(flinkOptions)) {
            StreamExecutionEnvironment env = flink.environment();
            ScoringJob.build(env, options, this::warn);
            GroupCheck.awaitFree(options, env.getConfiguration(), this::warn);
            announce(options);
            if (options.contains(RestOptions.PORT)) {
                command.getOut()
                        .printf("Web UI: http://localhost:%d%n", options.get(RestOptions.PORT));
            }
            command.getOut().println("Press Ctrl-C to stop it.");
            command.getOut().flush();
            JobClient job = env.executeAsync(ScoringJob.nameOf(flinkOptions, options));
            new RestartWatch(flink, job.getJobID(), command.getErr()).start();
            Capacity capacity = MoeSettings.of(options).capacity();
            new ScoreProgress(
                            flink,
                            job.getJobID(),
                            capacity.decidesAtClose() ? capacity.windows() : new GlobalWindow(),
                            options.contains(KafkaOptions.LATE_TOPIC),
                            command.getOut())
                    .start();
            flink.await(job);
        }
        command.getOut().println("The job has ended.");
        command.getOut().flush();
    }

    /** The options of command line and file, checked. */
    Configuration options() throws IOException {
        return scoreOptions.read();
    }

    private void warn(String warning) {
        spec.commandLine().getErr().println("moe: warning: " + warning);
        spec.commandLine().getErr().flush();
    }

    private void announce(Configuration options) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf(
                "Scoring the topic %s with %s. Answers are written to the topic %s on %s.%n",
                options.get(KafkaOptions.SOURCE_TOPIC),
                options.get(MoeOptions.BUNDLE),
                options.get(KafkaOptions.SINK_TOPIC),
                options.get(KafkaOptions.BROKERS));
        out.flush();
    }
}
