package io.flinkmoe.api;

import io.flinkmoe.capacity.Outcome;
import java.util.Arrays;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Where one MoE layer sent one token: k entries each, in order of rank, the most probable expert
 * first.
 *
 * @param experts the experts that settled the choices, counted from 0; for a choice that no expert
 *     had room for, the first that it tried
 * @param weights what their outputs were multiplied by
 * @param outcomes what became of each choice
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
