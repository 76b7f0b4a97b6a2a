// SPDX-License-Identifier: Apache-2.0
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

/** Runs the scoring job at full speed, and checks that its memory does not grow. */
@Command(
        name = "soak",
        description = {
            "Run the scoring job at the highest rate that it sustains, and check that its memory"
                    + " does not grow.",
            "",
            "Runs the job of `moe drill --mode next-expert` on a cluster of real processes, with a source that always"
                    + " has more records. The command fails if heap, resident memory or state grow"
                    + " after the first quarter of the time, or if a flight is lost or scored twice."
        },
        footer = {"  moe soak --minutes 10", "  moe soak --minutes 3 --heap 1g"})
@Internal
public final class SoakCommand implements Callable<Integer> {

    private static final String FLIGHTS = "flights";
    private static final String SCORED = "scored";

    /** The maximum number of flights in Kafka that the job has not read at its last checkpoint. */
    private static final int MAX_UNREAD = 300_000;

    private static final long POLL_MILLIS = 1_000;
    private static final int POLLS_PER_SAMPLE = 5;
    private static final int LINES = 20;

    @Spec private CommandSpec spec;

    @Option(
            names = "--minutes",
            paramLabel = "N",
            defaultValue = "10",
            description = "The duration in minutes. Default: 10.")
    private double minutes;

    @Option(
            names = "--heap",
            paramLabel = "SIZE",
            defaultValue = "512m",
            description = "The Java heap of each of the two task managers. Default: 512m.")
    private MemorySize heap;

    private final SoakCounts counts = new SoakCounts();
    private final Semaphore permits = new Semaphore(MAX_UNREAD);

    @Override
    public Integer call() throws Exception {
        if (minutes < 1) {
            throw new ParameterException(
                    spec.commandLine(), "--minutes is %s; allowed: 1 or more".formatted(minutes));
        }
        ClusterSettings settings = new ClusterSettings(1, 2, 1, heap);
        Installation installation = Installation.here();
        Path folder = Files.createTempDirectory("flink-moe-soak-");
        print("Starting a Kafka broker, ZooKeeper, a JobManager and two task managers");
        try (DrillEnvironment environment = DrillEnvironment.open(folder, installation, settings)) {
            return run(
                    environment, Flights.read(installation.flights(), Integer.MAX_VALUE).tokens());
        } finally {
            FileUtils.deleteDirectoryQuietly(folder.toFile());
        }
    }

    private int run(DrillEnvironment environment, List<Token> flights) throws Exception {
        environment.createTopic(FLIGHTS);
        Configuration options = environment.options(DrillMode.NEXT_EXPERT, FLIGHTS, SCORED);
        DrillEnvironment.runAtFullSpeed(options);
        JobID job = environment.submit(options);
        DrillProducer producer =
                environment.producer(
                        FLIGHTS, new DrillStream(flights), SendRate.unlimited(), this::awaitPermit);
        producer.start();
        SoakSamples samples = watch(environment, job, options, producer);
        producer.finish();
        permits.release(); // The producer may be waiting.
        producer.await();
        environment.awaitConsumed(job, options);
        environment.rest().stop(job, true);

        print("%n%,.0f tokens/s over the last three quarters of the time", samples.rate());
        DrillAnswers.forEach(
                environment.brokers(), SCORED, answer -> counts.scored(answer.getPosition()));
        print("%s", counts);
        return exitCode(samples);
    }

    private void awaitPermit(Token token) {
        permits.acquireUninterruptibly();
        counts.sent(token.position());
    }

    private SoakSamples watch(
            DrillEnvironment environment, JobID job, Configuration options, DrillProducer producer)
            throws IOException, InterruptedException {
        SoakSamples samples = new SoakSamples();
        long start = System.nanoTime();
        long end = start + (long) (minutes * 60e9);
        long nextLine = start;
        long consumed = 0;
        try (Admin admin = environment.admin()) {
            for (int poll = 1; System.nanoTime() < end; poll++) {
                Thread.sleep(POLL_MILLIS);
                producer.check();
                long now = DrillEnvironment.consumed(admin, options);
                permits.release((int) (now - consumed));
                consumed = now;
                if (poll % POLLS_PER_SAMPLE == 0) {
                    double seconds = (System.nanoTime() - start) / 1e9;
                    SoakSamples.Sample sample =
                            new SoakSamples.Sample(
                                    seconds,
                                    now,
                                    heap(environment),
                                    resident(environment),
                                    state(environment, job));
                    samples.add(sample);
                    if (System.nanoTime() >= nextLine) {
                        print("%s", sample);
                        nextLine += (end - start) / LINES;
                    }
                }
            }
        }
        return samples;
    }

    private int exitCode(SoakSamples samples) {
        List<String> growth = samples.growth();
        growth.forEach(line -> spec.commandLine().getErr().println("moe: " + line));
        if (!counts.isComplete()) {
            spec.commandLine().getErr().println("moe: flights were lost or scored twice");
        }
        spec.commandLine().getErr().flush();
        if (!growth.isEmpty() || !counts.isComplete()) {
            return ExitCode.SOFTWARE;
        }
        print("Memory and state did not grow, and every flight was scored once.");
        return 0;
    }

    private static long state(DrillEnvironment environment, JobID job) throws IOException {
        return environment.rest().checkpoints(job).stream()
                .filter(Checkpoint::isCompleted)
                .mapToLong(Checkpoint::stateSize)
                .findFirst()
                .orElse(0);
    }

    private static long heap(DrillEnvironment environment) throws IOException {
        long most = 0;
        for (JsonNode member : environment.rest().get("/taskmanagers").path("taskmanagers")) {
            String path =
                    "/taskmanagers/%s/metrics?get=Status.JVM.Memory.Heap.Used"
                            .formatted(member.path("id").asText());
            most = Math.max(most, environment.rest().get(path).path(0).path("value").asLong());
        }
        return most;
    }

    private static long resident(DrillEnvironment environment) throws IOException {
        long kibi = 0;
        List<String> taskManagers = environment.cluster().taskManagers();
        for (ClusterMember member : environment.cluster().members()) {
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

    private void print(String format, Object... arguments) {
        spec.commandLine().getOut().printf(format + "%n", arguments);
        spec.commandLine().getOut().flush();
    }
}
