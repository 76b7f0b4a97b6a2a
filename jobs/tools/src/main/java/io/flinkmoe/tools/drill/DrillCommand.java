// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.KafkaOptions.Delivery;
import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.cluster.ClusterSettings;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.flink.Backend;
import io.flinkmoe.tools.machine.Installation;
import io.flinkmoe.tools.machine.TempFolder;
import io.flinkmoe.tools.text.EnumConverter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
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
                    + " without kills: none missing, none duplicated, in order, bit for bit.",
            "",
            "With --delivery idempotent, it also pauses a task manager (SIGSTOP) until the job runs"
                    + " without it, and lets it go on (SIGCONT): a zombie, which writes what it"
                    + " still has. Then a reader must find records that come again to be the same"
                    + " in key, value and headers, and without these the answers as above.",
            "",
            "With --mode first-come, a job that is disturbed may admit other flights than one that"
                    + " is not. The drill then checks what holds in any case: in each window every"
                    + " expert admits as many as its capacity allows, no more and no fewer; the"
                    + " same flights are late; and flights with the same outcomes have the same"
                    + " bits."
        },
        footer = {
            "  moe drill --seed 1 --kills 10",
            "  moe drill --seed 7 --kills 2 --no-cost    run a short test",
            "  moe drill --kills 0                       only measure what exactly-once costs",
            "  moe drill --delivery idempotent --kills 14 --no-cost",
            "  moe drill --rescale                       rescale instead of killing",
            "  moe drill --rescale --unaligned --rate 5000",
            "  moe drill --mode dropless,replicated,first-come,prioritized,next-expert --no-cost",
            "  moe drill --backend rocksdb               keep the state in RocksDB",
            "  moe drill --keep                          keep logs and data"
        })
@Internal
public final class DrillCommand implements Callable<Integer> {

    /** The slots of the cluster if the job is rescaled. */
    private static final int SLOTS = 8;

    @Spec private CommandSpec spec;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "1",
            description = "The seed that decides which processes are killed, and when. Default: 1.")
    private long seed;

    @Option(
            names = "--mode",
            paramLabel = "MODE",
            split = ",",
            converter = Modes.class,
            defaultValue = "next-expert",
            description = {
                "How the job admits flights to its experts. Several modes, separated by commas, are"
                        + " drilled one after another. Default: next-expert.",
                "dropless: no capacity; the experts are spread over the subtasks.",
                "replicated: no capacity; each subtask runs all experts.",
                "first-come: a capacity; whoever arrives first is admitted.",
                "prioritized: a capacity; decided when the window closes.",
                "next-expert: like prioritized; what overflows tries one other expert."
            })
    private Set<DrillMode> modes;

    @Option(
            names = "--delivery",
            paramLabel = "D",
            converter = Deliveries.class,
            defaultValue = "exactly-once",
            description =
                    "The delivery of the drilled job: exactly-once or idempotent. Default:"
                            + " exactly-once.")
    private Delivery delivery;

    @Option(
            names = "--kills",
            paramLabel = "K",
            defaultValue = "10",
            description =
                    "The number of kills. Six kills include one of each kind, seven also a paused"
                            + " process with --delivery idempotent; 0 only measures what"
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

    @Option(
            names = "--backend",
            paramLabel = "BACKEND",
            converter = Backends.class,
            defaultValue = "heap",
            description = "Where the drilled job keeps its state: heap or rocksdb. Default: heap.")
    private Backend backend;

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
        check(
                delivery != Delivery.AT_LEAST_ONCE,
                "--delivery is %s; allowed: exactly-once, idempotent",
                delivery);
        check(
                delivery != Delivery.IDEMPOTENT || !modes.contains(DrillMode.FIRST_COME),
                "--mode has %s; allowed with --delivery idempotent: all others, because the order"
                        + " of arrival would decide answers",
                DrillMode.FIRST_COME);
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
        DrillPlan plan = new DrillPlan(seed, kills, rescale, rate, state());
        int exitCode = plan.disturbs() ? drill(installation, folder, plan, flights) : 0;
        if (exitCode == 0 && cost) {
            try (DrillEnvironment environment = open(installation, folder.resolve("cost"))) {
                new DrillCost(environment, flights, line -> print("%s", line)).measure();
            }
        }
        return exitCode;
    }

    private DrillEnvironment open(Installation installation, Path folder) throws IOException {
        print("Starting a Kafka broker, ZooKeeper, a JobManager and two task managers");
        // For kills, each task manager has one slot, so that every kill affects the job.
        ClusterSettings settings =
                new ClusterSettings(
                        1, 2, rescale.isEmpty() ? 1 : SLOTS / 2, MemorySize.parse("512m"));
        return DrillEnvironment.open(Files.createDirectories(folder), installation, settings);
    }

    private Configuration state() {
        Configuration state = new Configuration();
        state.set(CheckpointingOptions.ENABLE_UNALIGNED, unaligned);
        state.set(KafkaOptions.SINK_DELIVERY, delivery);
        backend.configure(state);
        return state;
    }

    /**
     * Each mode has a cluster of its own: with Kafka's transactions, a task manager keeps the
     * classes of every job that it has run (a client of the sink is never closed), until its
     * metaspace is full.
     */
    private int drill(Installation installation, Path folder, DrillPlan plan, List<Token> flights)
            throws Exception {
        TextTable summary = new TextTable("mode", ">tokens", ">differences");
        boolean failed = false;
        for (DrillMode mode : modes) {
            print("%nMode %s", mode);
            DrillReport report;
            try (DrillEnvironment environment = open(installation, folder.resolve("" + mode))) {
                Drill drill = new Drill(environment, plan, flights, line -> print("%s", line));
                report = drill.run(mode);
            }
            failed |= !show(report);
            summary.row(
                    mode,
                    "%,d".formatted(report.drilled().tokens()),
                    "%,d".formatted(report.differences()));
        }
        if (modes.size() > 1) {
            print("%n%s", summary);
        }
        return failed ? ExitCode.SOFTWARE : 0;
    }

    /** Prints a report. Returns whether it has no defects. */
    private boolean show(DrillReport report) {
        print("%n%s", report);
        List<String> defects = report.defects();
        for (String defect : defects) {
            spec.commandLine().getErr().println("moe: " + report.mode() + ": " + defect);
        }
        spec.commandLine().getErr().flush();
        if (defects.isEmpty()) {
            print("%s", report.mode().rule().success());
        }
        return defects.isEmpty();
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

    private static final class Modes extends EnumConverter<DrillMode> {
        Modes() {
            super(DrillMode.class);
        }
    }

    private static final class Deliveries extends EnumConverter<Delivery> {
        Deliveries() {
            super(Delivery.class);
        }
    }

    private static final class Backends extends EnumConverter<Backend> {
        Backends() {
            super(Backend.class);
        }
    }
}
