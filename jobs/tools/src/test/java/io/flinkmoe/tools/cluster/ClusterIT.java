// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.demo.DemoResults;
import io.flinkmoe.tools.demo.FlightProducer;
import io.flinkmoe.tools.demo.ResultReader;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A real cluster, Kafka to Kafka. */
class ClusterIT {

    private static final int FLIGHTS = 2_000;

    @TempDir private static Path dir;

    private static Path folder;
    private static KafkaBroker broker;
    private static LocalCluster cluster;
    private static Flights flights;

    @BeforeAll
    static void start() throws IOException {
        System.setProperty("moe.home", Home.ROOT.toString());
        folder = dir.resolve("cluster");
        CheckpointImporter.importBundle(
                Home.FLIGHTS.resolve("checkpoint"),
                Home.FLIGHTS.resolve("encoder.onnx"),
                Home.FLIGHTS.resolve("head.onnx"),
                dir.resolve("bundle"));
        flights = Flights.read(Home.FLIGHTS, FLIGHTS);
        broker = KafkaBroker.start(dir.resolve("kafka"));
        Program start =
                Program.run("cluster", "start", "--dir", folder, "--slots", 1, "--job-managers", 2);
        assertThat(start.exitCode()).as(start.err()).isZero();
        cluster = LocalCluster.find(folder, Installation.here());
        cluster.endWithThisProcess();
    }

    @AfterAll
    static void stop() throws IOException {
        if (cluster != null) {
            Program stop = Program.run("cluster", "stop", "--dir", folder);
            assertThat(stop.exitCode()).as(stop.err()).isZero();
            assertThat(cluster.members()).isEmpty();
            cluster.close(); // Else its watchdog kills who has the ids of the processes by then.
        }
        if (broker != null) {
            broker.close();
        }
        System.clearProperty("moe.home");
    }

    @ParameterizedTest
    @CsvSource({"hashmap, HashMapStateBackend", "rocksdb, EmbeddedRocksDBStateBackend"})
    void scoresFlightsThatComeWhileItRuns(String type, String backend) throws Exception {
        String name = "live-" + type;
        Program score = score(name, "--cluster=" + folder, "-D", "state.backend.type=" + type);
        assertThat(score.exitCode()).as(score.err()).isZero();
        Matcher job = Pattern.compile("The job is ([0-9a-f]{32}), at").matcher(score.out());
        assertThat(job.find()).as(score.out()).isTrue();
        assertThat(find("-name", "submittedExecutionPlan*")).as("jobs").isNotEmpty();
        assertThat(find("-perm", "/077")).as("what others can read or write").isEmpty();
        produce(name);

        DemoResults results = read(name);

        assertThat(results.missing()).isZero();
        assertThat(results.surplus()).isZero();
        if (type.equals("rocksdb")) {
            assertThat(find("-path", "*/tmp/*librocksdbjni*"))
                    .as("the native library")
                    .isNotEmpty();
        }
        try (ClusterRest rest = cluster.rest()) {
            assertThat(rest.get("/jobs/" + job.group(1)).path("name").asText())
                    .isEqualTo("moe score " + name);
            assertThat(
                            rest.get("/jobs/" + job.group(1) + "/checkpoints/config")
                                    .path("state_backend")
                                    .asText())
                    .isEqualTo(backend);
            assertThat(rest.get("/config").path("features").path("web-submit").asBoolean(true))
                    .isFalse();
            rest.cancel(JobID.fromHexString(job.group(1)));
        }
    }

    /** Files of the cluster, found by the system's own command: some vanish meanwhile. */
    private static List<String> find(String test, String value) throws IOException {
        Process find = new ProcessBuilder("find", "" + folder, test, value).start();
        return new String(find.getInputStream().readAllBytes(), UTF_8).lines().toList();
    }

    @Test
    void dryRunCountsTheSlotsThatThereAre() throws Exception {
        Program dryRun =
                score(
                        "dry",
                        "--cluster=" + folder,
                        "--dry-run",
                        "-D",
                        "taskmanager.numberOfTaskSlots=7");

        assertThat(dryRun.exitCode()).as(dryRun.err()).isZero();
        assertThat(dryRun.out())
                .containsPattern("off-heap memory .* for 1 slot\\R")
                .containsPattern("network memory .* for 1 slot, with segments of 256 kb;");
    }

    @Test
    void flinkRunTakesTheJobJar() throws Exception {
        createTopics("run");
        produce("run");
        List<String> arguments = List.of("cluster", "--dir", folder.toString(), "flink", "--");
        Path jar = Installation.here().jobJar();
        Program run =
                Program.run(
                        concat(
                                arguments,
                                List.of("run", jar, "score", "--source.stop", "latest"),
                                options("run")));
        assertThat(run.exitCode()).as(run.out() + run.err()).isZero();

        assertThat(read("run").missing()).isZero();
    }

    @Test
    void showsWhatDoesNotRunAndStartsItAgain() throws Exception {
        try (ClusterRest rest = cluster.rest()) {
            Set<String> before = awaitTwoTaskManagers(rest, Set.of());
            String victim = cluster.taskManagers().get(0);
            cluster.kill(victim);

            Program status = Program.run("cluster", "status", "--dir", folder);
            cluster.restart(victim);

            assertThat(status.exitCode()).isEqualTo(1);
            assertThat(status.out()).containsPattern(victim + " +dead");
            // The killed one stays on the list until its heartbeat is missed.
            awaitTwoTaskManagers(rest, before);
            Program again = Program.run("cluster", "status", "--dir", folder);
            assertThat(again.exitCode()).as(again.out()).isZero();
        }
    }

    /** Waits until the JobManager knows two that are not those of before, and gives their ids. */
    private static Set<String> awaitTwoTaskManagers(ClusterRest rest, Set<String> before)
            throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        Set<String> now = taskManagers(rest);
        while (now.size() != 2 || now.equals(before)) {
            assertThat(System.nanoTime()).as("time to register").isLessThan(deadline);
            Thread.sleep(100);
            now = taskManagers(rest);
        }
        return now;
    }

    /** The ids of those that the JobManager knows; none if it does not answer. */
    private static Set<String> taskManagers(ClusterRest rest) {
        try {
            Set<String> ids = new HashSet<>();
            for (JsonNode member : rest.get("/taskmanagers").path("taskmanagers")) {
                ids.add(member.path("id").asText());
            }
            return ids;
        } catch (IOException e) {
            return Set.of();
        }
    }

    @Test
    void startsOnlyOnceInAFolder() {
        Program start = Program.run("cluster", "start", "--dir", folder);

        assertThat(start.exitCode()).isEqualTo(1);
        assertThat(start.err()).contains("A cluster already runs in", "Stop it first");
    }

    @Test
    void ownClassesComeWithTheJobOnly() throws Exception {
        for (ClusterMember member : cluster.members()) {
            Process ps =
                    new ProcessBuilder("ps", "-ww", "-o", "args=", "-p", "" + member.pid()).start();
            String command = new String(ps.getInputStream().readAllBytes(), UTF_8);
            assertThat(command).contains("onnxruntime-").doesNotContain("flink-moe-tools");
        }
    }

    private static Program score(String name, Object... more) throws IOException {
        createTopics(name);
        return Program.run(concat(List.of("score"), options(name), List.of(more)));
    }

    private static List<Object> options(String name) {
        return List.of(
                "--bundle",
                dir.resolve("bundle"),
                "--kafka.brokers",
                broker.bootstrapServers(),
                "--source.topic",
                name,
                "--source.group-id",
                name,
                "--sink.topic",
                name + "-out",
                "--dead-letter.topic",
                name + "-dead",
                "-D",
                "execution.checkpointing.interval=1s");
    }

    private static Object[] concat(List<?>... parts) {
        return Stream.of(parts).flatMap(List::stream).toArray();
    }

    private static void createTopics(String name) throws IOException {
        for (String topic : List.of(name, name + "-out", name + "-dead")) {
            broker.createTopic(topic, 2, Map.of());
        }
    }

    private static void produce(String name) throws InterruptedException {
        FlightProducer producer =
                new FlightProducer(
                        broker.bootstrapServers(),
                        name,
                        flights.tokens(),
                        0,
                        new DemoResults(FLIGHTS));
        producer.jobRuns();
        producer.start();
        producer.join();
        assertThat(producer.failure()).isNull();
    }

    private static DemoResults read(String name) throws IOException {
        DemoResults results = new DemoResults(FLIGHTS);
        long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        try (ResultReader reader =
                new ResultReader(
                        broker.bootstrapServers(), name + "-out", name + "-dead", results)) {
            while (!results.isComplete()) {
                assertThat(System.nanoTime()).as("time to score").isLessThan(deadline);
                reader.poll();
            }
            reader.drain();
        }
        return results;
    }
}
