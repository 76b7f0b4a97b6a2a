// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.api.Token;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.flights.FlightTask;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import io.flinkmoe.tools.flink.FlinkRest;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.machine.FreePorts;
import io.flinkmoe.tools.machine.Installation;
import io.flinkmoe.tools.machine.TempFolder;
import io.flinkmoe.tools.text.Progress;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.FileUtils;
import org.apache.kafka.common.config.TopicConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Scores real flights end to end: starts a broker and the job, sends the flights, and reads the
 * answers.
 */
@Command(
        name = "demo",
        description = {
            "Score 48,836 real US flights end to end on this machine.",
            "",
            "Imports a trained model, starts a Kafka broker and the scoring job, sends the"
                    + " flights in order of departure, and checks every answer. All files are in a"
                    + " temporary folder that is removed at the end."
        },
        footer = {
            "  moe demo",
            "  moe demo --model delay      three tasks, with a gate each, from typed columns",
            "  moe demo --rate 5000        measure the latency below full speed",
            "  moe demo --capacity 200     at most 200 flights per expert and hour",
            "  moe demo --report out.html  write a page with plots and figures",
            "  moe demo --keep             keep broker and web UI running"
        })
@Internal
public final class DemoCommand implements Callable<Integer> {

    private static final int PARTITIONS = 4;
    private static final int WEB_PORT = 8081;
    private static final Duration TIMEOUT = Duration.ofMinutes(1);

    @Spec private CommandSpec spec;

    @Mixin private ModelOptions models;

    @Mixin private CapacityOptions capacity;

    @Option(
            names = "--keep",
            description =
                    "Keep broker, job and web UI running until Ctrl-C, and keep the folder also after"
                            + " that.")
    private boolean keep;

    @Option(
            names = "--rate",
            paramLabel = "N",
            defaultValue = "0",
            description = "The flights to send per second. Default: as fast as Kafka accepts them.")
    private int rate;

    @Option(
            names = "--parallelism",
            paramLabel = "P",
            description = "The subtasks per operator. Default: the number of cores, at most 4.")
    private int parallelism = Math.min(PARTITIONS, Runtime.getRuntime().availableProcessors());

    @Option(
            names = "--events",
            paramLabel = "N",
            description = "The number of flights to send, from the first one. Default: all.")
    private int events = Integer.MAX_VALUE;

    @Option(
            names = "--report",
            paramLabel = "FILE",
            description = "Write plots and figures of the run to this file, as one HTML page.")
    private Path page;

    @Override
    public Integer call() throws Exception {
        checkArguments();
        Installation installation = Installation.here();
        DemoModel model = models.choose(installation);
        Path folder =
                keep
                        ? Files.createTempDirectory(TempFolder.outer(), "flink-moe-demo-")
                        : Files.createTempDirectory("flink-moe-demo-");
        try {
            return run(model, Flights.read(installation.flights(), events), folder);
        } finally {
            if (keep) {
                spec.commandLine().getErr().println("The demo's folder is kept: " + folder);
            } else {
                FileUtils.deleteDirectoryQuietly(folder.toFile());
            }
        }
    }

    private int run(DemoModel model, Flights flights, Path folder) throws Exception {
        print("Importing %s", model.name());
        Bundle bundle = model.importBundle(folder.resolve("bundle"));
        LayerSpec layer = bundle.spec().layers().get(0);
        List<Token> tokens = model.tokens(flights, bundle);
        DemoResults results = new DemoResults(tokens.size(), names(model));
        ExpertRuns runs = new ExpertRuns(layer);
        print("Starting a Kafka broker");
        try (KafkaBroker broker = KafkaBroker.start(folder.resolve("kafka"))) {
            String brokers = broker.bootstrapServers();
            for (String topic :
                    List.of(DemoJob.TOPIC, DemoJob.SCORED_TOPIC, DemoJob.DEAD_LETTER_TOPIC)) {
                // The broker sets the timestamps, so that all latencies are measured with one
                // clock.
                broker.createTopic(
                        topic,
                        PARTITIONS,
                        Map.of(TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG, "LogAppendTime"));
            }
            Configuration options = options(brokers, folder);
            try (EmbeddedFlink flink = new EmbeddedFlink(ScoringJob.flinkOptions(options))) {
                score(flink, options, tokens, results, runs);
                DemoReport report =
                        new DemoReport(
                                results,
                                model.tasks().stream().map(flights::labels).toList(),
                                capacity.isUnlimited() ? model.expected() : null,
                                GateShares.of(results, layer),
                                runs.figures());
                int exitCode = print(report);
                if (page != null) {
                    write(report, results, flights, options);
                }
                if (keep) {
                    waitForInterrupt(options, folder);
                }
                return exitCode;
            }
        }
    }

    private static List<String> names(DemoModel model) {
        return model.tasks().stream().map(FlightTask::name).toList();
    }

    private void score(
            EmbeddedFlink flink,
            Configuration options,
            List<Token> tokens,
            DemoResults results,
            ExpertRuns runs)
            throws Exception {
        String brokers = options.get(KafkaOptions.BROKERS);
        StreamExecutionEnvironment env = flink.environment();
        ScoringJob.build(env, options);
        print("Starting the scoring job at parallelism %d", parallelism);
        JobClient job = env.executeAsync("moe demo");
        try (ResultReader reader =
                new ResultReader(
                        brokers, DemoJob.SCORED_TOPIC, DemoJob.DEAD_LETTER_TOPIC, results)) {
            FlightProducer producer =
                    new FlightProducer(brokers, DemoJob.TOPIC, tokens, rate, results);
            producer.start();
            new DemoWatch(job, producer, results, progress()).await(reader, TIMEOUT);
            runs.read(new FlinkRest(flink.restAddress()), job.getJobID(), results);
            if (!keep) {
                job.cancel().get(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
            }
            reader.drain();
        } catch (TimeoutException e) {
            throw new IOException(
                    "The job could not be cancelled within %d s.".formatted(TIMEOUT.toSeconds()),
                    e);
        }
    }

    private Configuration options(String brokers, Path folder) throws IOException {
        Configuration options = DemoJob.options(brokers, folder);
        options.set(CoreOptions.DEFAULT_PARALLELISM, parallelism);
        capacity.apply(options);
        if (keep) {
            options.set(RestOptions.PORT, FreePorts.preferring(WEB_PORT));
        }
        return options;
    }

    /** Prints the figures, and returns the exit code. */
    private int print(DemoReport report) {
        print("%n%s", report);
        List<String> defects = report.defects();
        for (String defect : defects) {
            spec.commandLine().getErr().println("moe: " + defect);
        }
        if (defects.isEmpty()) {
            print("Every flight was scored exactly once.");
        }
        return defects.isEmpty() ? 0 : ExitCode.SOFTWARE;
    }

    private void write(
            DemoReport report, DemoResults results, Flights flights, Configuration options)
            throws IOException {
        long[] times = flights.tokens().stream().mapToLong(Token::timestamp).toArray();
        DemoTimeline timeline =
                new DemoTimeline(
                        results, times, report.gates().numExperts(), capacity.windowMillis());
        List<String> command = spec.commandLine().getParseResult().originalArgs();
        String html = DemoPage.html(report, results, timeline, command, rate, options.toMap());
        Files.writeString(page, html);
        print("The plots are in %s", page.toAbsolutePath().normalize());
    }

    private void waitForInterrupt(Configuration options, Path folder) throws InterruptedException {
        TextTable places = new TextTable("Still running until Ctrl-C:", "");
        places.row("Kafka broker", options.get(KafkaOptions.BROKERS));
        places.row(
                "topics",
                String.join(", ", DemoJob.TOPIC, DemoJob.SCORED_TOPIC, DemoJob.DEAD_LETTER_TOPIC));
        places.row("Flink's web UI", "http://localhost:" + options.get(RestOptions.PORT));
        places.row("folder, which stays", folder);
        spec.commandLine().getOut().printf("%n%s", places);
        spec.commandLine().getOut().flush();
        new CountDownLatch(1).await();
    }

    private void checkArguments() {
        models.check(spec);
        check(rate >= 0, "--rate is %d; allowed: 0 or more", rate);
        check(parallelism >= 1, "--parallelism is %d; allowed: 1 or more", parallelism);
        check(events >= 1, "--events is %d; allowed: 1 or more", events);
        capacity.check(spec);
        if (page != null) {
            Path folder = page.toAbsolutePath().getParent();
            check(!Files.isDirectory(page), "--report is %s, a folder; allowed: a file", page);
            check(
                    Files.isWritable(folder),
                    "--report is %s; allowed: a file in a writable folder",
                    page);
        }
    }

    private void check(boolean holds, String message, Object value) {
        if (!holds) {
            throw new ParameterException(spec.commandLine(), message.formatted(value));
        }
    }

    private Progress progress() {
        return new Progress(spec.commandLine().getOut(), System.console() != null);
    }

    private void print(String format, Object... arguments) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf(format + "%n", arguments);
        out.flush();
    }
}
