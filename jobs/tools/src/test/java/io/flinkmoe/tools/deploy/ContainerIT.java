// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.scoring.cli.ScoringMain;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.cluster.ApplicationCluster;
import io.flinkmoe.tools.demo.DemoResults;
import io.flinkmoe.tools.demo.FlightProducer;
import io.flinkmoe.tools.demo.ResultReader;
import io.flinkmoe.tools.flights.ExpectedFlights;
import io.flinkmoe.tools.flights.Flights;
import io.flinkmoe.tools.flink.BlockBuffers;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.machine.FreePorts;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The images, but for the container: their files, their configuration, their processes. */
class ContainerIT {

    private static final int FLIGHTS = 2_000;
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(5);

    @TempDir private static Path dir;

    private static KafkaBroker broker;
    private static DemoResults results;
    private static Path home;
    private static String metrics;
    private static int exitValue;
    private static String logs;

    /** The job from its start until it has scored all flights. */
    @BeforeAll
    static void score() throws Exception {
        broker = KafkaBroker.start(dir.resolve("kafka"));
        CheckpointImporter.importBundle(
                Home.FLIGHTS.resolve("checkpoint"),
                Home.FLIGHTS.resolve("encoder.onnx"),
                Home.FLIGHTS.resolve("head.onnx"),
                dir.resolve("bundle"));
        results = new DemoResults(FLIGHTS);
        produce();
        home = dir.resolve("home");
        int[] ports = FreePorts.find(4);
        try (ApplicationCluster cluster = new ApplicationCluster(home, overrides(ports))) {
            Process jobManager = cluster.start(ScoringMain.class, job());
            metrics = awaitMetrics(jobManager, ports[2], ports[3]);
            boolean ended = jobManager.waitFor(2, TimeUnit.MINUTES);
            logs = tail(cluster.log("jobmanager")) + tail(cluster.log("taskmanager"));
            assertThat(ended).as(logs).isTrue();
            exitValue = jobManager.exitValue();
        }
        try (ResultReader reader =
                new ResultReader(broker.bootstrapServers(), "scored", "rejected", results)) {
            reader.drain();
        }
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            broker.close();
        }
    }

    @Test
    void theConfigurationOpensOfJavaWhatFlinkNeeds() {
        String all =
                GlobalConfiguration.loadConfiguration(
                                Home.ROOT.resolve("deploy/container/conf").toString())
                        .get(CoreOptions.FLINK_JVM_OPTIONS);

        assertThat(all.split(" "))
                .containsExactlyInAnyOrderElementsOf(
                        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                                .filter(argument -> argument.matches("--add-(opens|exports).*"))
                                .toList());
    }

    @Test
    void theConfigurationHasTheBuffersOfTheLocalCluster() throws Exception {
        Configuration image =
                GlobalConfiguration.loadConfiguration(
                        Home.ROOT.resolve("deploy/container/conf").toString());

        Configuration local = new Configuration();
        BlockBuffers.setDefaults(local);
        for (ConfigOption<MemorySize> option :
                List.of(
                        TaskManagerOptions.MEMORY_SEGMENT_SIZE,
                        TaskManagerOptions.NETWORK_MEMORY_MIN,
                        TaskManagerOptions.NETWORK_MEMORY_MAX)) {
            assertThat(image.get(option)).isEqualTo(local.get(option));
        }
    }

    @Test
    void scoresFlightsInApplicationMode() throws Exception {
        assertThat(exitValue).as(logs).isZero();
        assertThat(results.missing()).isZero();
        assertThat(results.surplus()).isZero();
        ExpectedFlights expected = ExpectedFlights.read(Home.FLIGHTS);
        for (int i = 0; i < FLIGHTS; i++) {
            assertThat(results.probability(i)).isCloseTo(expected.probability(i), within(1e-5f));
        }
    }

    @Test
    void theImageHasOneJobJar() throws Exception {
        try (Stream<Path> jars = Files.list(home.resolve("usrlib"))) {
            assertThat(jars).containsExactly(home.resolve("usrlib/flink-moe-job.jar"));
        }
    }

    @Test
    void theJobReportsWhatTheDashboardShows() throws Exception {
        assertReported(Observability.dashboard(), 35);
    }

    @Test
    void theJobReportsWhatTheAlertsWatch() throws Exception {
        assertReported(Observability.alerts(), 11);
    }

    private static void assertReported(List<Observability.Query> queries, int least) {
        assertThat(queries).hasSizeGreaterThanOrEqualTo(least);
        assertThat(errors(metrics, queries)).isEmpty();
    }

    private static List<String> errors(String metrics, List<Observability.Query> queries) {
        Scrape scrape = new Scrape(metrics);
        return queries.stream()
                .flatMap(
                        query ->
                                scrape.errors(query.expression(), query.shown()).stream()
                                        .map(error -> query.where() + ": " + error))
                .toList();
    }

    private static void produce() throws Exception {
        for (String topic : List.of("flights", "scored", "rejected")) {
            broker.createTopic(topic, 2, Map.of());
        }
        FlightProducer producer =
                new FlightProducer(
                        broker.bootstrapServers(),
                        "flights",
                        Flights.read(Home.FLIGHTS, FLIGHTS).tokens(),
                        0,
                        results);
        producer.jobRuns();
        producer.start();
        producer.join();
        assertThat(producer.failure()).isNull();
    }

    /** What differs from a cluster of containers: all is on one machine, and small. */
    private static Configuration overrides(int[] ports) {
        return Configuration.fromMap(
                Map.of(
                        "jobmanager.rpc.port", "" + ports[0],
                        "rest.port", "" + ports[1],
                        "jobmanager.bind-host", "127.0.0.1",
                        "rest.bind-address", "127.0.0.1",
                        "taskmanager.bind-host", "127.0.0.1",
                        "taskmanager.numberOfTaskSlots", "2",
                        "taskmanager.memory.process.size", "1400m",
                        "taskmanager.memory.task.off-heap.size", "128m",
                        "metrics.reporter.prometheus.port", ports[2] + "," + ports[3]));
    }

    private static List<String> job() {
        return List.of(
                "score",
                "--bundle=" + dir.resolve("bundle"),
                "--kafka.brokers=" + broker.bootstrapServers(),
                "--source.topic=flights",
                "--source.stop=latest",
                "--sink.topic=scored",
                "--dead-letter.topic=rejected",
                // The metrics of admission and dispatch need a capacity; this one takes all tokens.
                "--capacity.policy=fixed",
                "--capacity.size=100000",
                "--source.max-behind=36500 d",
                "-Dparallelism.default=2");
    }

    /**
     * What both processes report while the job runs, once that is all that is asked for. Before
     * that a port may be closed; and a reporter without metrics announces no content, but sends a
     * chunk of it, which stands in front of the next answer of the same connection.
     */
    private static String awaitMetrics(Process jobManager, int... ports) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        List<Observability.Query> queries = new ArrayList<>(Observability.dashboard());
        queries.addAll(Observability.alerts());
        String all = "";
        while (jobManager.isAlive() && !errors(all, queries).isEmpty()) {
            Thread.sleep(50);
            StringBuilder text = new StringBuilder();
            for (int port : ports) {
                HttpRequest request =
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics"))
                                .timeout(ANSWER_TIMEOUT)
                                .build();
                try {
                    text.append(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
                } catch (IOException notYet) {
                    // The next round asks again.
                }
            }
            all = text.toString();
        }
        return all;
    }

    private static String tail(Path log) {
        try {
            List<String> lines = Files.readAllLines(log);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
        } catch (IOException e) {
            return e.toString();
        }
    }
}
