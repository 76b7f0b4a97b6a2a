package io.flinkmoe.config;

import io.flinkmoe.capacity.Capacity;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * What a router does beside routing.
 *
 * @param capacity what the experts have room for, or null: then nothing is ever late
 * @param divertLate whether late tokens go to {@code Router#LATE_TOKENS} instead of being scored
 * @param draws where noise and random admission draw from
 * @param keepScores whether the scores of the choices go along, for the decision log
 * @param emitLogits whether {@code Router#LOGITS} are given
 */
@Internal
public record RouterSettings(
        Capacity capacity, boolean divertLate, Draws draws, boolean keepScores, boolean emitLogits)
        implements Serializable {

    /** Routing and nothing else, with a capacity or null. */
    public static RouterSettings of(Capacity capacity) {
        return new RouterSettings(capacity, false, Draws.SEEDED, false, false);
    }
}
