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

/** Kills what the scoring job runs on, and looks whether its answers are the same. */
@Command(
        name = "drill",
        description = {
            "Kill the processes under a scoring job, and compare its answers with an undisturbed run's.",
            "",
            "Starts a Kafka broker and a cluster of real processes, sends flights at a steady rate,"
                    + " and kills, with SIGKILL and as the seed decides: a task manager, the"
                    + " JobManager, the broker, two at once, during a checkpoint, during a savepoint."
                    + " Each is started again. In the end, what is read with read_committed must be"
                    + " what a run without kills answers: nothing missing, nothing doubled, in"
                    + " order, bit for bit."
        },
        footer = {
            "  moe drill --seed 1 --kills 10",
            "  moe drill --seed 7 --kills 2 --no-cost    a short one",
            "  moe drill --kills 0                       only what exactly-once costs",
            "  moe drill --rescale                       change the parallelism instead",
            "  moe drill --rescale --unaligned --rate 5000",
            "  moe drill --keep                          keep the logs"
        })
@Internal
public final class DrillCommand implements Callable<Integer> {

    private static final List<Integer> PARALLELISMS = List.of(1, 3, 8, 2);

    private static final String DRILLED = "drilled";
    private static final String UNDISTURBED = "undisturbed";

    @Spec private CommandSpec spec;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "1",
            description = "Decides who is killed, and when. Default: 1.")
    private long seed;

    @Option(
            names = "--kills",
            paramLabel = "K",
            defaultValue = "10",
            description =
                    "How often. Six have one of each kind; 0: only measure what exactly-once costs."
                            + " Default: 10.")
    private int kills;

    @Option(
            names = "--rate",
            paramLabel = "N",
            defaultValue = "500",
            description = "Flights per second. Default: 500.")
    private int rate;

    @Option(
            names = "--no-cost",
            negatable = true,
            description = "Do not measure what exactly-once costs.")
    private boolean cost = true;

    @Option(
            names = "--rescale",
            description =
                    "Instead of killing, stop the job with a savepoint and go on at parallelism 1, 3,"
                            + " 8 and 2.")
    private boolean rescale;

    @Option(
            names = "--unaligned",
            description =
                    "Use unaligned checkpoints; with --rescale, cancel the job and go on from its"
                            + " last checkpoint.")
    private boolean unaligned;

    @Option(names = "--keep", description = "Keep the folder with logs and data.")
    private boolean keep;

    @Override
    public Integer call() throws Exception {
        check(kills >= 0, "--kills is %d; allowed: 0 or more", kills);
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
                say("The drill's folder is kept: " + folder);
            } else {
                FileUtils.deleteDirectoryQuietly(folder.toFile());
            }
        }
    }

    private int run(Installation installation, Path folder) throws Exception {
        List<Token> flights = Flights.read(installation.flights(), Integer.MAX_VALUE).tokens();
        say("Starting a Kafka broker, ZooKeeper, a JobManager and two task managers");
        // For kills a slot each: whoever is killed, the job has lost something.
        ClusterSettings settings =
                new ClusterSettings(1, 2, rescale ? 4 : 1, MemorySize.parse("512m"));
        try (DrillSite site = DrillSite.open(folder, installation, settings)) {
            int exitCode = kills > 0 || rescale ? drillAndCompare(site, flights) : 0;
            if (exitCode == 0 && cost) {
                new DrillCost(site, flights, line -> say("%s", line)).measure();
            }
            return exitCode;
        }
    }

    private int drillAndCompare(DrillSite site, List<Token> flights) throws Exception {
        site.createTopic(DrillSite.FLIGHTS);
        List<Token> sent = drill(site, flights);
        say("Scoring the same %,d flights undisturbed", sent.size());
        site.run(site.options(DrillSite.FLIGHTS, UNDISTURBED));
        return report(site, sent);
    }

    private List<Token> drill(DrillSite site, List<Token> flights) throws Exception {
        List<Token> sent = new ArrayList<>();
        DrillProducer producer =
                site.producer(
                        DrillSite.FLIGHTS, new DrillStream(flights), Pace.steady(rate), sent::add);
        Configuration options = site.options(DrillSite.FLIGHTS, DRILLED);
        options.set(CheckpointingOptions.ENABLE_UNALIGNED, unaligned);
        JobID job = site.submit(options);
        producer.start();
        say("");
        job = rescale ? rescale(site, job, options, producer) : kill(site, job, producer);
        producer.finish();
        producer.await();
        site.awaitConsumed(job, options);
        site.rest().stop(job, true);
        say("");
        return sent;
    }

    private JobID kill(DrillSite site, JobID job, DrillProducer producer) throws Exception {
        say("kill  who%-28s when%-19s recovered after", "", "");
        Kills killing = new Kills(site, job, this::say);
        for (KillPlan.Kill kill :
                KillPlan.of(
                        seed, kills, site.cluster().taskManagers(), site.cluster().jobManagers())) {
            killing.execute(kill);
            producer.check();
        }
        return job;
    }

    private JobID rescale(DrillSite site, JobID job, Configuration options, DrillProducer producer)
            throws Exception {
        Rescales rescaling = new Rescales(site, job, options, unaligned, this::say);
        for (int parallelism : PARALLELISMS) {
            rescaling.execute(parallelism);
            producer.check();
        }
        return rescaling.job();
    }

    private int report(DrillSite site, List<Token> sent) throws IOException {
        DrillAnswers expected = DrillAnswers.read(site.brokers(), UNDISTURBED);
        DrillAnswers found = DrillAnswers.read(site.brokers(), DRILLED);
        DrillReport report =
                new DrillReport(
                        sent.size(),
                        DrillCheck.of(sent, expected, expected),
                        DrillCheck.of(sent, expected, found),
                        DrillAnswers.end(site.brokers(), DrillSite.deadLetters(DRILLED))
                                + DrillAnswers.end(
                                        site.brokers(), DrillSite.deadLetters(UNDISTURBED)),
                        expected.open() + found.open());
        say("%n%s", report);
        List<String> defects = report.defects();
        for (String defect : defects) {
            spec.commandLine().getErr().println("moe: " + defect);
        }
        spec.commandLine().getErr().flush();
        if (defects.isEmpty()) {
            say("Every flight came out once, in order, with the same bits.");
        }
        return defects.isEmpty() ? 0 : ExitCode.SOFTWARE;
    }

    private void check(boolean holds, String message, Object value) {
        if (!holds) {
            throw new ParameterException(spec.commandLine(), message.formatted(value));
        }
    }

    private void say(String format, Object... arguments) {
        spec.commandLine().getOut().printf(format + "%n", arguments);
        spec.commandLine().getOut().flush();
    }
}
