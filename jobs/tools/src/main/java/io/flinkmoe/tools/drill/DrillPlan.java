// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.scoring.KafkaOptions;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/**
 * How a job is disturbed; the same for each mode.
 *
 * @param seed decides which processes are killed, and when
 * @param kills the number of kills
 * @param parallelisms the parallelisms at which the job continues; if there are any, nothing is
 *     killed
 * @param rate the flights to send per second
 * @param state the options of the disturbed job's checkpoints, state and delivery; the undisturbed
 *     job keeps its state on the heap, with aligned checkpoints and exactly-once delivery
 */
@Internal
record DrillPlan(long seed, int kills, List<Integer> parallelisms, int rate, Configuration state) {

    /** Whether anything is killed or rescaled. */
    boolean disturbs() {
        return kills > 0 || rescales();
    }

    /** Whether the disturbed job writes some answers again. */
    boolean repeats() {
        return state.get(KafkaOptions.SINK_DELIVERY) == KafkaOptions.Delivery.IDEMPOTENT;
    }

    boolean rescales() {
        return !parallelisms.isEmpty();
    }
}
