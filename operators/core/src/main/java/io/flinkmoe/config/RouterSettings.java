// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import io.flinkmoe.capacity.Capacity;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * The settings of a router.
 *
 * @param capacity how many choices of a window an expert admits; if dropless, no token is late
 * @param divertLate whether late tokens go to {@code LateTokens#OUTPUT} instead of being scored
 * @param draws the source of random draws for router noise and random admission
 * @param keepScores whether blocks carry the scores of the choices, for the decision log
 * @param emitLogits whether the router emits {@link io.flinkmoe.api.RouterLogits}
 */
@Internal
public record RouterSettings(
        Capacity capacity, boolean divertLate, Draws draws, boolean keepScores, boolean emitLogits)
        implements Serializable {

    /** Returns settings with this capacity, seeded draws and no optional output. */
    public static RouterSettings of(Capacity capacity) {
        return new RouterSettings(capacity, false, Draws.SEEDED, false, false);
    }
}
