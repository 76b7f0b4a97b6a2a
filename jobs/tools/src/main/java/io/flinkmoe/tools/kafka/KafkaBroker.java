package io.flinkmoe.tools.kafka;

import io.flinkmoe.tools.machine.FreePorts;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import kafka.tools.StorageTool;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/**
 * A Kafka broker of one node (KRaft) on 127.0.0.1, in a JVM of its own, for the demo and for tests.
 * It takes Kafka's classes from the class path of the running JVM. It ends with that JVM at the
 * latest, even if that is killed: see {@link BrokerMain}.
 */
@Internal
public final class KafkaBroker implements AutoCloseable {

    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
    private static final Duration TOPIC_TIMEOUT = Duration.ofSeconds(30);
    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(10);
    private static final int LOG_LINES_IN_ERRORS = 30;

    private final Path dir;
    private final Path log;
    private final int port;
    private final String bootstrapServers;
    private final Thread killer;
    private volatile Process process;

    private KafkaBroker(Path dir, int port) {
        this.dir = dir;
        this.port = port;
        log = dir.resolve("broker.log");
        bootstrapServers = "127.0.0.1:" + port;
        killer = new Thread(this::destroy, "kafka-broker-killer");
        Runtime.getRuntime().addShutdownHook(killer);
    }

    /**
     * Starts a broker and waits until it answers.
     *
     * @param dir where its data and its log ({@code broker.log}) go; made if missing, and not the
     *     directory of an earlier broker
     * @throws IOException if it does not come up within 60 s, with the end of its log
     */
    public static KafkaBroker start(Path dir) throws IOException {
        return start(dir, "", Map.of());
    }

    /**
     * Starts a broker that has more listeners, or other settings.
     *
     * @param moreListeners listeners besides its own, each behind a comma, such as {@code
     *     ,SECURE://127.0.0.1:9093}
     * @param settings what goes to the end of server.properties
     */
    public static KafkaBroker start(Path dir, String moreListeners, Map<String, String> settings)
            throws IOException {
        Files.createDirectories(dir);
        int[] ports = FreePorts.find(2);
        BrokerFiles.write(dir, ports[0], ports[1], moreListeners, settings);
        format(BrokerFiles.properties(dir));
        KafkaBroker broker = new KafkaBroker(dir, ports[0]);
        try {
            broker.launch();
        } catch (IOException | RuntimeException e) {
            broker.close();
            throw e;
        }
        return broker;
    }

    private void launch() throws IOException {
        process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-Xmx384m",
                                "-XX:+UseSerialGC",
                                "-Djava.io.tmpdir=" + dir,
                                "-Dlog4j2.configurationFile=" + BrokerFiles.logging(dir).toUri(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                BrokerMain.class.getName(),
                                BrokerFiles.properties(dir).toString())
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                        .start();
        awaitStart();
    }

    /** Ends the broker with SIGKILL, as a crash would: what it has in memory is lost. */
    public void kill() throws IOException {
        destroy();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the Kafka broker was ending", e);
        }
    }

    /**
     * Starts the broker again that was killed, on its data and its port.
     *
     * @throws IOException if it does not come up within 60 s, with the end of its log
     */
    public void restart() throws IOException {
        launch();
    }

    private void destroy() {
        if (process != null) {
            process.destroyForcibly();
        }
    }

    /** Where clients connect: host:port. */
    public String bootstrapServers() {
        return bootstrapServers;
    }

    /**
     * Makes a topic, and waits until all its partitions have a leader.
     *
     * @param configs the topic's own settings, such as {@code message.timestamp.type}
     * @throws IOException if it cannot be made, or not within 30 s
     */
    public void createTopic(String name, int partitions, Map<String, String> configs)
            throws IOException {
        long deadline = System.nanoTime() + TOPIC_TIMEOUT.toNanos();
        NewTopic topic = new NewTopic(name, partitions, (short) 1).configs(configs);
        try (Admin admin = admin()) {
            get(admin.createTopics(List.of(topic)).all(), deadline);
            while (!hasLeaders(admin, name, deadline)) {
                pause();
            }
        } catch (ExecutionException | TimeoutException | InterruptedException e) {
            throw new IOException(
                    "cannot make the topic %s at %s: %s"
                            .formatted(name, bootstrapServers, cause(e)),
                    cause(e));
        }
    }

    /** Ends the broker; its data and its log stay in the directory. */
    @Override
    public void close() {
        if (process != null) {
            end();
        }
        try {
            Runtime.getRuntime().removeShutdownHook(killer);
        } catch (IllegalStateException e) {
            // The JVM is ending: the hook has nothing left to kill.
        }
    }

    private void end() {
        try {
            process.destroy();
            if (!process.waitFor(STOP_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    /** The log directory must carry a cluster id before a broker takes it. */
    private static void format(Path config) throws IOException {
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        String[] args = {"format", "-t", Uuid.randomUuid().toString(), "-c", config.toString()};
        String problem =
                "cannot prepare %s for a Kafka broker; give it an empty directory: "
                        .formatted(config.getParent());
        int code;
        try (PrintStream out = new PrintStream(output, true, StandardCharsets.UTF_8)) {
            code = StorageTool.execute(args, out);
        } catch (RuntimeException e) {
            throw new IOException(problem + e.getMessage(), e);
        }
        if (code != 0) {
            throw new IOException(problem + output.toString(StandardCharsets.UTF_8));
        }
    }

    /** First the port, so that no client complains of a broker that is not there yet. */
    private void awaitStart() throws IOException {
        long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
        while (!accepts()) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw startFailure(null);
            }
            pause();
        }
        try (Admin admin = admin()) {
            get(admin.describeCluster().nodes(), deadline);
        } catch (ExecutionException | TimeoutException | InterruptedException e) {
            throw startFailure(cause(e));
        }
    }

    private boolean accepts() {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(50);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the Kafka broker was starting", e);
        }
    }

    private Admin admin() {
        return Admin.create(
                Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, (Object) bootstrapServers));
    }

    /** The controller knows a new topic a moment before the broker does. */
    private static boolean hasLeaders(Admin admin, String topic, long deadline)
            throws InterruptedException, ExecutionException, TimeoutException {
        try {
            return get(admin.describeTopics(List.of(topic)).allTopicNames(), deadline)
                    .get(topic)
                    .partitions()
                    .stream()
                    .allMatch(partition -> partition.leader() != null);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return false;
            }
            throw e;
        }
    }

    private static <T> T get(KafkaFuture<T> future, long deadline)
            throws InterruptedException, ExecutionException, TimeoutException {
        return future.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
    }

    private static Throwable cause(Exception e) {
        if (e instanceof InterruptedException) {
            Thread.currentThread().interrupt();
        }
        if (e instanceof TimeoutException) {
            return new TimeoutException("no answer in time");
        }
        return e instanceof ExecutionException ? e.getCause() : e;
    }

    private IOException startFailure(Throwable cause) {
        String state =
                process.isAlive() ? "it still runs" : "it ended with code " + process.exitValue();
        return new IOException(
                "the Kafka broker at %s did not come up%s (%s); the end of its log, %s:%n%s"
                        .formatted(
                                bootstrapServers,
                                Optional.ofNullable(cause).map(c -> ": " + c).orElse(""),
                                state,
                                log,
                                tail()),
                cause);
    }

    private String tail() {
        try {
            List<String> lines = Files.readAllLines(log, StandardCharsets.UTF_8);
            int from = Math.max(0, lines.size() - LOG_LINES_IN_ERRORS);
            return String.join(System.lineSeparator(), lines.subList(from, lines.size()));
        } catch (IOException e) {
            return "(cannot be read: " + e + ")";
        }
    }
}
