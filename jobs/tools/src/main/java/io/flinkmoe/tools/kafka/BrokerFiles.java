// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.kafka;

import io.flinkmoe.tools.text.PropertiesText;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import kafka.tools.StorageTool;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.common.Uuid;

/** The configuration files of a {@link KafkaBroker}, in its directory. */
@Internal
final class BrokerFiles {

    private static final String LOGGING =
            """
            rootLogger.level = info
            rootLogger.appenderRef.console.ref = console
            appender.console.name = console
            appender.console.type = console
            appender.console.layout.type = PatternLayout
            appender.console.layout.pattern = %d{HH:mm:ss,SSS} %-5p %c{1} %m%n
            """;

    private BrokerFiles() {}

    static Path properties(Path dir) {
        return dir.resolve("server.properties");
    }

    static Path logging(Path dir) {
        return dir.resolve("log4j2.properties");
    }

    /**
     * @param moreListeners additional listeners, each after a comma
     * @param settings additional lines at the end of server.properties
     */
    static void write(
            Path dir,
            int port,
            int controllerPort,
            String moreListeners,
            Map<String, String> settings)
            throws IOException {
        StringBuilder properties =
                new StringBuilder(
                        serverProperties(dir.resolve("data"), port, controllerPort, moreListeners));
        settings.forEach((key, value) -> properties.append("%s=%s%n".formatted(key, value)));
        Files.writeString(properties(dir), properties);
        Files.writeString(logging(dir), LOGGING);
    }

    /** Writes a cluster id to the log directory, which the broker requires. */
    static void format(Path dir) throws IOException {
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        String[] args = {
            "format", "-t", Uuid.randomUuid().toString(), "-c", properties(dir).toString()
        };
        String problem =
                "cannot prepare %s for a Kafka broker; use an empty directory: ".formatted(dir);
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

    /**
     * One node. The internal topics have few partitions, so that the broker starts fast. The
     * session is short, because it must have ended before a killed broker can restart. Nothing
     * expires: the timestamps of the demo's and the tests' records are old.
     */
    private static String serverProperties(
            Path data, int port, int controllerPort, String moreListeners) {
        return """
        process.roles=broker,controller
        node.id=1
        controller.quorum.voters=1@127.0.0.1:%2$d
        listeners=PLAINTEXT://127.0.0.1:%1$d,CONTROLLER://127.0.0.1:%2$d%4$s
        controller.listener.names=CONTROLLER
        log.dirs=%3$s
        auto.create.topics.enable=false
        offsets.topic.replication.factor=1
        offsets.topic.num.partitions=4
        transaction.state.log.replication.factor=1
        transaction.state.log.min.isr=1
        transaction.state.log.num.partitions=4
        share.coordinator.state.topic.replication.factor=1
        share.coordinator.state.topic.min.isr=1
        group.initial.rebalance.delay.ms=0
        broker.heartbeat.interval.ms=200
        broker.session.timeout.ms=3000
        socket.receive.buffer.bytes=%5$d
        log.cleaner.dedupe.buffer.size=4194304
        log.retention.ms=-1
        """
                .formatted(
                        port,
                        controllerPort,
                        PropertiesText.escape(data.toString()),
                        moreListeners,
                        KafkaBroker.RECEIVE_BUFFER_BYTES);
    }
}
