// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import io.flinkmoe.tools.cluster.ClusterSettings;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.machine.Installation;
import io.flinkmoe.tools.machine.TempFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.util.FileUtils;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Kills processes under a running scoring job, and checks that its answers do not change. */
@Command(
        name = "drill",
        description = {
            "Fault-injection test: kill processes under a scoring job, and compare its answers with"
                    + " those of an undisturbed run.",
            "",
            "Starts a Kafka broker and a cluster of real processes, and sends flights at a steady"
                    + " rate. Kills processes with SIGKILL and starts them again: a task manager, the JobManager, the broker, or two of them at once. Some kills happen during a checkpoint or a savepoint. At the end, a read_committed reader must find the answers of a run"
                    + " without kills: none missing, none duplicated, in order, bit for bit."
        },
        footer = {
            "  moe drill --seed 1 --kills 10",
            "  moe drill --seed 7 --kills 2 --no-cost    run a short test",
            "  moe drill --kills 0                       only measure what exactly-once costs",
            "  moe drill --rescale                       rescale instead of killing",
            "  moe drill --rescale --unaligned --rate 5000",
            "  moe drill --keep                          keep logs and data"
        })
@Internal
public final class DrillCommand implements Callable<Integer> {

    /** The slots of the cluster if the job is rescaled. */
    private static final int SLOTS = 8;

    private static final String DRILLED = "drilled";
    private static final String UNDISTURBED = "undisturbed";

    @Spec private CommandSpec spec;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "1",
            description = "The seed that decides which processes are killed, and when. Default: 1.")
    private long seed;

    @Option(
            names = "--kills",
            paramLabel = "K",
            defaultValue = "10",
            description =
                    "The number of kills. Six kills include one of each kind; 0 only measures what"
                            + " exactly-once costs. Default: 10.")
    private int kills;

    @Option(
            names = "--rate",
            paramLabel = "N",
            defaultValue = "500",
            description = "The flights to send per second. Default: 500.")
    private int rate;

    @Option(
            names = "--no-cost",
            negatable = true,
            description = "With --no-cost, do not measure what exactly-once costs.")
    private boolean cost = true;

    @Option(
            names = "--rescale",
            paramLabel = "P",
            split = ",",
            arity = "0..1",
            fallbackValue = "1,3,8,2",
            description =
                    "Do not kill processes. Stop the job with a savepoint instead, and continue at"
                            + " these parallelisms, up to 8. Default: 1,3,8,2.")
    private List<Integer> rescale = List.of();

    @Option(
            names = "--unaligned",
            description =
                    "Use unaligned checkpoints. With --rescale, cancel the job and continue from"
                            + " its last checkpoint.")
    private boolean unaligned;

    @Option(names = "--keep", description = "Keep the folder with logs and data.")
    private boolean keep;

    @Override
    public Integer call() throws Exception {
        check(kills >= 0, "--kills is %d; allowed: 0 or more", kills);
        for (int parallelism : rescale) {
            check(
                    parallelism >= 1 && parallelism <= SLOTS,
                    "--rescale has %d; allowed: 1 to 8",
                    parallelism);
        }
        check(rate >= 1, "--rate is %d; allowed: 1 or more", rate);
        Installation installation = Installation.here();
        Path folder =
                keep
                        ? Files.createTempDirectory(TempFolder.outer(), "flink-moe-drill-")
                        : Files.createTempDirectory("flink-moe-drill-");
        try {
            return run(installation, folder);
        } finally {
            if (keep) {
                print("The drill's folder is kept: " + folder);
            } else {
                FileUtils.deleteDirectoryQuietly(folder.toFile());
            }
        }
    }

    private int run(Installation installation, Path folder) throws Exception {
        List<Token> flights = Flights.read(installation.flights(), Integer.MAX_VALUE).tokens();
        print("Starting a Kafka broker, ZooKeeper, a JobManager and two task managers");
        // For kills, each task manager has one slot, so that every kill affects the job.
        ClusterSettings settings =
                new ClusterSettings(
                        1, 2, rescale.isEmpty() ? 1 : SLOTS / 2, MemorySize.parse("512m"));
        try (DrillEnvironment environment = DrillEnvironment.open(folder, installation, settings)) {
            int exitCode =
                    kills > 0 || !rescale.isEmpty() ? drillAndCompare(environment, flights) : 0;
            if (exitCode == 0 && cost) {
                new DrillCost(environment, flights, line -> print("%s", line)).measure();
            }
            return exitCode;
        }
    }

    private int drillAndCompare(DrillEnvironment environment, List<Token> flights)
            throws Exception {
        environment.createTopic(DrillEnvironment.FLIGHTS);
        List<Token> sent = drill(environment, flights);
        print("Scoring the same %,d flights without disturbance", sent.size());
        environment.run(environment.options(DrillEnvironment.FLIGHTS, UNDISTURBED));
        return report(environment, sent);
    }

    private List<Token> drill(DrillEnvironment environment, List<Token> flights) throws Exception {
        List<Token> sent = new ArrayList<>();
        DrillProducer producer =
                environment.producer(
                        DrillEnvironment.FLIGHTS,
                        new DrillStream(flights),
                        SendRate.steady(rate),
                        sent::add);
        Configuration options = environment.options(DrillEnvironment.FLIGHTS, DRILLED);
        options.set(CheckpointingOptions.ENABLE_UNALIGNED, unaligned);
        JobID job = environment.submit(options);
        producer.start();
        print("");
        job =
                rescale.isEmpty()
                        ? kill(environment, job, producer)
                        : rescale(environment, job, options, producer);
        producer.finish();
        producer.await();
        environment.awaitConsumed(job, options);
        environment.rest().stop(job, true);
        print("");
        return sent;
    }

    private JobID kill(DrillEnvironment environment, JobID job, DrillProducer producer)
            throws Exception {
        print("kill  process%-24s when%-19s recovered after", "", "");
        ProcessKiller killer = new ProcessKiller(environment, job, this::print);
        for (KillPlan.Kill kill :
                KillPlan.of(
                        seed,
                        kills,
                        environment.cluster().taskManagers(),
                        environment.cluster().jobManagers())) {
            killer.execute(kill);
            producer.check();
        }
        return job;
    }

    private JobID rescale(
            DrillEnvironment environment, JobID job, Configuration options, DrillProducer producer)
            throws Exception {
        Rescaler rescaler = new Rescaler(environment, job, options, unaligned, this::print);
        for (int parallelism : rescale) {
            rescaler.execute(parallelism);
            producer.check();
        }
        return rescaler.job();
    }

    private int report(DrillEnvironment environment, List<Token> sent) throws IOException {
        DrillAnswers expected = DrillAnswers.read(environment.brokers(), UNDISTURBED);
        DrillAnswers found = DrillAnswers.read(environment.brokers(), DRILLED);
        DrillReport report =
                new DrillReport(
                        sent.size(),
                        DrillCheck.of(sent, expected, expected),
                        DrillCheck.of(sent, expected, found),
                        DrillAnswers.end(
                                        environment.brokers(),
                                        DrillEnvironment.deadLetters(DRILLED))
                                + DrillAnswers.end(
                                        environment.brokers(),
                                        DrillEnvironment.deadLetters(UNDISTURBED)),
                        expected.open() + found.open());
        print("%n%s", report);
        List<String> defects = report.defects();
        for (String defect : defects) {
            spec.commandLine().getErr().println("moe: " + defect);
        }
        spec.commandLine().getErr().flush();
        if (defects.isEmpty()) {
            print("Every flight was scored once, in order, with the same bits.");
        }
        return defects.isEmpty() ? 0 : ExitCode.SOFTWARE;
    }

    private void check(boolean holds, String message, Object value) {
        if (!holds) {
            throw new ParameterException(spec.commandLine(), message.formatted(value));
        }
    }

    private void print(String format, Object... arguments) {
        spec.commandLine().getOut().printf(format + "%n", arguments);
        spec.commandLine().getOut().flush();
    }
}
