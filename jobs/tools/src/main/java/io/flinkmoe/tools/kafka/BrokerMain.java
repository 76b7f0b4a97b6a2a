// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.kafka;

import java.io.IOException;
import org.apache.flink.annotation.Internal;

/**
 * Runs a Kafka broker that ends with the process that started it. Its standard input is a pipe from
 * that process: the pipe ends when the process ends, even if the process is killed.
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
                // The process sends nothing; only the end of the pipe matters.
            }
        } catch (IOException e) {
            // This counts as the end of the pipe.
        }
        Runtime.getRuntime().halt(1);
    }
}
