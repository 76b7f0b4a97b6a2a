package io.flinkmoe.tools.kafka;

import java.io.IOException;
import org.apache.flink.annotation.Internal;

/**
 * Runs a Kafka broker that ends with the process that started it. Its standard input is a pipe from
 * that process: the pipe reaches its end when the process does, however it ended.
 */
@Internal
final class BrokerMain {

    private BrokerMain() {}

    public static void main(String[] args) {
        Thread watch = new Thread(BrokerMain::haltAtEndOfInput, "parent-watch");
        watch.setDaemon(true);
        watch.start();
        kafka.Kafka.main(args);
    }

    private static void haltAtEndOfInput() {
        try {
            while (System.in.read() >= 0) {
                // Nothing is sent: only the end matters.
            }
        } catch (IOException e) {
            // As good as the end.
        }
        Runtime.getRuntime().halt(1);
    }
}
