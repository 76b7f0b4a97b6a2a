package io.flinkmoe.tools.drill;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.api.Token;
import io.flinkmoe.tools.cluster.Checkpoint;
import io.flinkmoe.tools.cluster.ClusterMember;
import io.flinkmoe.tools.cluster.ClusterSettings;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Semaphore;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.util.FileUtils;
import org.apache.kafka.clients.admin.Admin;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Runs the scoring job as fast as it can, and looks whether its memory stays flat. */
@Command(
        name = "soak",
        description = {
            "Run the scoring job at the highest rate it sustains, and watch its memory.",
            "",
            "The job of the drill, on a cluster of real processes; there is always more to read."
                    + " Fails if heap, resident memory or state grow after the first quarter of the"
                    + " time, or if a flight is lost or scored twice."
        },
        footer = {"  moe soak --minutes 10", "  moe soak --minutes 3 --heap 1g"})
@Internal
public final class SoakCommand implements Callable<Integer> {

    private static final String SCORED = "scored";

    /** Flights in Kafka that the job has not read by its last checkpoint. */
    private static final int AHEAD = 300_000;

    private static final long LOOK_MILLIS = 1_000;
    private static final int LOOKS_PER_SAMPLE = 5;
    private static final int LINES = 20;

    @Spec private CommandSpec spec;

    @Option(
            names = "--minutes",
            paramLabel = "N",
            defaultValue = "10",
            description = "How long. Default: 10.")
    private double minutes;

    @Option(
            names = "--heap",
            paramLabel = "SIZE",
            defaultValue = "512m",
            description = "Java heap of each of the two task managers. Default: 512m.")
    private MemorySize heap;

    private final SoakTally tally = new SoakTally();
    private final Semaphore room = new Semaphore(AHEAD);

    @Override
    public Integer call() throws Exception {
        if (minutes < 1) {
            throw new ParameterException(
                    spec.commandLine(), "--minutes is %s; allowed: 1 or more".formatted(minutes));
        }
        ClusterSettings settings = new ClusterSettings(1, 2, 1, heap);
        Installation installation = Installation.here();
        Path folder = Files.createTempDirectory("flink-moe-soak-");
        say("Starting a Kafka broker, ZooKeeper, a JobManager and two task managers");
        try (DrillSite site = DrillSite.open(folder, installation, settings)) {
            return run(site, Flights.read(installation.flights(), Integer.MAX_VALUE).tokens());
        } finally {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
        }
    }

    private int run(DrillSite site, List<Token> flights) throws Exception {
        site.createTopic(DrillSite.FLIGHTS);
        Configuration options = site.options(DrillSite.FLIGHTS, SCORED);
        DrillSite.runAtFullSpeed(options);
        JobID job = site.submit(options);
        DrillProducer producer =
                site.producer(
                        DrillSite.FLIGHTS,
                        new DrillStream(flights),
                        Pace.unlimited(),
                        this::waitForRoom);
        producer.start();
        SoakSamples samples = watch(site, job, options, producer);
        producer.finish();
        room.release(); // It may be waiting.
        producer.await();
        site.awaitConsumed(job, options);
        site.rest().stop(job, true);

        say("%n%,.0f tokens/s, over the last three quarters of the time", samples.rate());
        DrillAnswers.forEach(site.brokers(), SCORED, answer -> tally.scored(answer.getPosition()));
        say("%s", tally);
        return verdict(samples);
    }

    private void waitForRoom(Token token) {
        room.acquireUninterruptibly();
        tally.sent(token.position());
    }

    private SoakSamples watch(
            DrillSite site, JobID job, Configuration options, DrillProducer producer)
            throws IOException, InterruptedException {
        SoakSamples samples = new SoakSamples();
        long start = System.nanoTime();
        long end = start + (long) (minutes * 60e9);
        long nextLine = start;
        long consumed = 0;
        try (Admin admin = site.admin()) {
            for (int look = 1; System.nanoTime() < end; look++) {
                Thread.sleep(LOOK_MILLIS);
                producer.check();
                long now = DrillSite.consumed(admin, options);
                room.release((int) (now - consumed));
                consumed = now;
                if (look % LOOKS_PER_SAMPLE == 0) {
                    double seconds = (System.nanoTime() - start) / 1e9;
                    SoakSamples.Sample sample =
                            new SoakSamples.Sample(
                                    seconds, now, heap(site), resident(site), state(site, job));
                    samples.add(sample);
                    if (System.nanoTime() >= nextLine) {
                        say("%s", sample);
                        nextLine += (end - start) / LINES;
                    }
                }
            }
        }
        return samples;
    }

    private int verdict(SoakSamples samples) {
        List<String> growth = samples.growth();
        growth.forEach(line -> spec.commandLine().getErr().println("moe: " + line));
        if (!tally.isEven()) {
            spec.commandLine().getErr().println("moe: each flight must be scored once");
        }
        spec.commandLine().getErr().flush();
        if (!growth.isEmpty() || !tally.isEven()) {
            return ExitCode.SOFTWARE;
        }
        say("Nothing has grown, and nothing was lost or doubled.");
        return 0;
    }

    private static long state(DrillSite site, JobID job) throws IOException {
        return site.rest().checkpoints(job).stream()
                .filter(Checkpoint::isCompleted)
                .mapToLong(Checkpoint::stateSize)
                .findFirst()
                .orElse(0);
    }

    private static long heap(DrillSite site) throws IOException {
        long most = 0;
        for (JsonNode member : site.rest().ask("/taskmanagers").path("taskmanagers")) {
            String path =
                    "/taskmanagers/%s/metrics?get=Status.JVM.Memory.Heap.Used"
                            .formatted(member.path("id").asText());
            most = Math.max(most, site.rest().ask(path).path(0).path("value").asLong());
        }
        return most;
    }

    private static long resident(DrillSite site) throws IOException {
        long kibi = 0;
        List<String> taskManagers = site.cluster().taskManagers();
        for (ClusterMember member : site.cluster().members()) {
            if (taskManagers.contains(member.name())) {
                Process ps =
                        new ProcessBuilder("ps", "-o", "rss=", "-p", Long.toString(member.pid()))
                                .start();
                byte[] answer = ps.getInputStream().readAllBytes();
                kibi += Long.parseLong(new String(answer, StandardCharsets.UTF_8).strip());
            }
        }
        return kibi * 1024;
    }

    private void say(String format, Object... arguments) {
        spec.commandLine().getOut().printf(format + "%n", arguments);
        spec.commandLine().getOut().flush();
    }
}
