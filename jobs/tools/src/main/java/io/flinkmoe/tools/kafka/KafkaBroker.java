// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.kafka;

import io.flinkmoe.tools.machine.ChildJvm;
import io.flinkmoe.tools.machine.FreePorts;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/**
 * A single-node Kafka broker (KRaft) on 127.0.0.1, in a separate JVM, for the demo and for tests.
 * It uses Kafka's classes from the class path of this JVM. It ends with this JVM at the latest,
 * even if this JVM is killed: see {@link BrokerMain}.
 */
@Internal
public final class KafkaBroker implements AutoCloseable {

    /**
     * Kafka's own 64 and 100 KiB are one packet of the loopback interface, after which a connection
     * can wait for 200 ms.
     */
    public static final int RECEIVE_BUFFER_BYTES = 1 << 20;

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
     * Starts a broker and waits until it responds.
     *
     * @param dir the directory for its data and its log ({@code broker.log}); it is created if it
     *     is missing, and must not be the directory of an earlier broker
     * @throws IOException if it does not start within 60 s; the message contains the end of its log
     */
    public static KafkaBroker start(Path dir) throws IOException {
        return start(dir, "", Map.of());
    }

    /**
     * Starts a broker with additional listeners or settings.
     *
     * @param moreListeners additional listeners, each after a comma, such as {@code
     *     ,SECURE://127.0.0.1:9093}
     * @param settings additional lines at the end of server.properties
     */
    public static KafkaBroker start(Path dir, String moreListeners, Map<String, String> settings)
            throws IOException {
        Files.createDirectories(dir);
        int[] ports = FreePorts.find(2);
        BrokerFiles.write(dir, ports[0], ports[1], moreListeners, settings);
        BrokerFiles.format(dir);
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
        List<String> command = ChildJvm.command();
        command.addAll(
                List.of(
                        "-Xmx384m",
                        "-XX:+UseSerialGC",
                        "-Djava.io.tmpdir=" + dir,
                        "-Dlog4j2.configurationFile=" + BrokerFiles.logging(dir).toUri(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        BrokerMain.class.getName(),
                        BrokerFiles.properties(dir).toString()));
        process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                        .start();
        awaitStart();
    }

    /** Kills the broker with SIGKILL, like a crash: the data in its memory is lost. */
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
     * Restarts the killed broker with its data and its port.
     *
     * @throws IOException if it does not start within 60 s; the message contains the end of its log
     */
    public void restart() throws IOException {
        launch();
    }

    private void destroy() {
        if (process != null) {
            process.destroyForcibly();
        }
    }

    /** The address for clients: host:port. */
    public String bootstrapServers() {
        return bootstrapServers;
    }

    /**
     * Creates a topic, and waits until all its partitions have a leader.
     *
     * @param configs the settings of the topic, such as {@code message.timestamp.type}
     * @throws IOException if the topic cannot be created within 30 s
     */
    public void createTopic(String name, int partitions, Map<String, String> configs)
            throws IOException {
        NewTopic topic = new NewTopic(name, partitions, (short) 1).configs(configs);
        administer(
                "create the topic " + name,
                (admin, deadline) -> {
                    get(admin.createTopics(List.of(topic)).all(), deadline);
                    while (!hasLeaders(admin, topic, deadline)) {
                        pause();
                    }
                });
    }

    /** Deletes topics and their records. */
    public void deleteTopics(List<String> names) throws IOException {
        administer(
                "delete the topics " + names,
                (admin, deadline) -> get(admin.deleteTopics(names).all(), deadline));
    }

    private interface Administration {

        void run(Admin admin, long deadline)
                throws IOException, InterruptedException, ExecutionException, TimeoutException;
    }

    private void administer(String what, Administration administration) throws IOException {
        try (Admin admin = admin()) {
            administration.run(admin, System.nanoTime() + TOPIC_TIMEOUT.toNanos());
        } catch (ExecutionException | TimeoutException | InterruptedException e) {
            throw new IOException(
                    "cannot %s at %s: %s".formatted(what, bootstrapServers, cause(e)), cause(e));
        }
    }

    /** Stops the broker. Its data and its log remain in the directory. */
    @Override
    public void close() {
        if (process != null) {
            stop();
        }
        try {
            Runtime.getRuntime().removeShutdownHook(killer);
        } catch (IllegalStateException e) {
            // The JVM is ending: the hook has nothing left to kill.
        }
    }

    private void stop() {
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

    /**
     * Waits for the port first. Otherwise the Kafka client would log warnings until the broker has
     * started.
     */
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

    /**
     * Whether the broker answers for all partitions. The controller knows a new topic earlier, and
     * an idempotent producer that writes meanwhile can need seconds to get its batches in order.
     */
    private static boolean hasLeaders(Admin admin, NewTopic topic, long deadline)
            throws InterruptedException, ExecutionException, TimeoutException {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int i = 0; i < topic.numPartitions(); i++) {
            ends.put(new TopicPartition(topic.name(), i), OffsetSpec.latest());
        }
        try {
            get(admin.listOffsets(ends).all(), deadline);
            return true;
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
            return new TimeoutException("no response in time");
        }
        return e instanceof ExecutionException ? e.getCause() : e;
    }

    private IOException startFailure(Throwable cause) {
        String state =
                process.isAlive()
                        ? "it is still running"
                        : "it ended with code " + process.exitValue();
        return new IOException(
                "the Kafka broker at %s did not start%s (%s); the end of its log, %s:%n%s"
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
