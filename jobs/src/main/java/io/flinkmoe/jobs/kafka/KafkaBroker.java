package io.flinkmoe.jobs.kafka;

import java.io.IOException;
import java.nio.file.Path;

/** A Kafka broker of one node (KRaft) in a JVM of its own, for the demo and for tests. */
public final class KafkaBroker implements AutoCloseable {

    private KafkaBroker() {}

    /**
     * Starts a broker and waits until it answers.
     *
     * @param dir where its data and its log go; made if missing
     * @throws IOException if it does not come up within 60 s, with the end of its log
     */
    public static KafkaBroker start(Path dir) throws IOException {
        throw new IOException("not there yet: " + dir);
    }

    /** Where clients connect: host:port. */
    public String bootstrapServers() {
        return null;
    }

    /** Makes a topic, and waits until it can be used. */
    public void createTopic(String name, int partitions) throws IOException {
        throw new IOException("not there yet: " + name + partitions);
    }

    /** Ends the broker; its data stays in the directory. */
    @Override
    public void close() {}
}
