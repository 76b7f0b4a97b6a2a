package io.flinkmoe.tools.drill;

import org.apache.flink.annotation.Internal;

/**
 * How fast tokens are sent, and how many.
 *
 * @param rate tokens per second; 0: as fast as Kafka takes them
 * @param limit tokens to send at most
 */
@Internal
record Pace(int rate, long limit) {

    /** So many per second, without end. */
    static Pace steady(int rate) {
        return new Pace(rate, Long.MAX_VALUE);
    }

    /** As fast as Kafka takes them, without end. */
    static Pace unlimited() {
        return new Pace(0, Long.MAX_VALUE);
    }
}
