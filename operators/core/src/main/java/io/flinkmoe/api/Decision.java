package io.flinkmoe.api;

import io.flinkmoe.capacity.Outcome;
import java.util.Arrays;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The k choices of one token in one MoE layer, in order of rank: the most probable expert first.
 *
 * @param experts [k], the expert that determined the outcome of each choice, counted from 0; if the
 *     choice overflowed, the first expert that it tried; -1 if the token could not be routed
 * @param weights [k], the factors of the experts' outputs
 * @param outcomes [k], the outcome of each choice
 */
@PublicEvolving
public record Decision(int[] experts, float[] weights, Outcome[] outcomes) {
    @Override
    public boolean equals(Object other) {
        return other instanceof Decision that
                && Arrays.equals(experts, that.experts)
                && Arrays.equals(weights, that.weights)
                && Arrays.equals(outcomes, that.outcomes);
    }

    @Override
    public int hashCode() {
        return Objects.hash(
                Arrays.hashCode(experts), Arrays.hashCode(weights), Arrays.hashCode(outcomes));
    }

    @Override
    public String toString() {
        return "Decision[experts=%s, weights=%s, outcomes=%s]"
                .formatted(
                        Arrays.toString(experts),
                        Arrays.toString(weights),
                        Arrays.toString(outcomes));
    }
}
