// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import java.time.Duration;
import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How long data may wait for more of it, in all places of a job together. Larger blocks, calls and
 * buffers cost less per token. {@link MoeOptions#LATENCY} selects one.
 */
@PublicEvolving
public enum LatencyProfile {
    /** For answers within milliseconds. */
    LOW(2, 0, 1, 1),
    /** The default. */
    BALANCED(5, 2, 20, 5),
    /** For the highest rate. */
    THROUGHPUT(20, 10, 100, 20);

    private final Duration batchLinger;
    private final Duration expertBatchLinger;
    private final Duration bufferTimeout;
    private final Duration producerLinger;

    /** All in milliseconds. */
    LatencyProfile(int batchLinger, int expertBatchLinger, int bufferTimeout, int producerLinger) {
        this.batchLinger = Duration.ofMillis(batchLinger);
        this.expertBatchLinger = Duration.ofMillis(expertBatchLinger);
        this.bufferTimeout = Duration.ofMillis(bufferTimeout);
        this.producerLinger = Duration.ofMillis(producerLinger);
    }

    /** The longest time that a token waits for its block to fill. */
    public Duration batchLinger() {
        return batchLinger;
    }

    /** The time that rows wait for their expert's call to fill. */
    public Duration expertBatchLinger() {
        return expertBatchLinger;
    }

    /** The time after which Flink sends a buffer that is not full. */
    public Duration bufferTimeout() {
        return bufferTimeout;
    }

    /** The time that a Kafka producer waits for its batch to fill ({@code linger.ms}). */
    public Duration producerLinger() {
        return producerLinger;
    }

    /** The value of the option. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
