// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import org.apache.flink.annotation.Internal;

/**
 * How fast tokens are sent, and how many.
 *
 * @param rate tokens per second; 0: as fast as Kafka accepts them
 * @param limit the maximum number of tokens to send
 */
@Internal
record SendRate(int rate, long limit) {

    /** A fixed rate without a limit. */
    static SendRate steady(int rate) {
        return new SendRate(rate, Long.MAX_VALUE);
    }

    /** As fast as Kafka accepts them, without a limit. */
    static SendRate unlimited() {
        return new SendRate(0, Long.MAX_VALUE);
    }
}
