// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.head;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.RankedGate;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.GateRanks;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** What users receive of the choices of a token in one layer. */
@Internal
final class Decisions {

    private Decisions() {}

    /** Returns the choices with their weights and outcomes. */
    static Decision of(Choices choices, int row) {
        int[] own = choicesOf(choices, row);
        boolean one = choices.gates().isOne();
        int gates = one ? 1 : choices.gates().sizes().length;
        Decision decision =
                new Decision(
                        new int[own.length],
                        new float[gates * own.length],
                        new Outcome[own.length]);
        for (int i = 0; i < own.length; i++) {
            int at = choices.finalAt(own[i]);
            decision.experts()[i] = choices.experts()[at];
            decision.outcomes()[i] = Outcome.ofCode(choices.outcomes()[own[i]]);
            if (one) {
                decision.weights()[i] = choices.weights()[at];
            }
        }
        if (!one) {
            writeGateWeights(choices, row, own.length, decision.weights());
        }
        return decision;
    }

    /** The choices that a token makes. */
    private static int[] choicesOf(Choices choices, int row) {
        int k = choices.k();
        int[] own = new int[k];
        int count = 0;
        for (int choice = row * k; choice < (row + 1) * k; choice++) {
            if (choices.outcomes()[choice] != Outcome.NO_CHOICE) {
                own[count++] = choice;
            }
        }
        return count == k ? own : Arrays.copyOf(own, count);
    }

    /** Writes the weights of several gates, [G, k]: a token's choices are its first ones. */
    private static void writeGateWeights(Choices choices, int row, int k, float[] weights) {
        GateRanks gates = choices.gates();
        int rank = row * gates.sum();
        for (int gate = 0; gate < gates.sizes().length; gate++) {
            for (int i = 0; i < gates.sizes()[gate]; i++, rank++) {
                int place = gates.places()[rank];
                if (place >= 0 && place < k) {
                    weights[gate * k + place] = gates.weights()[rank];
                }
            }
        }
    }

    /** Returns the choices with all that the gates ranked. */
    static DecisionRecord.Layer ranked(Choices choices, int row, LayerSpec spec) {
        int[] own = choicesOf(choices, row);
        int[] experts = new int[own.length];
        Outcome[] outcomes = new Outcome[own.length];
        int[] attempts = new int[own.length];
        for (int i = 0; i < own.length; i++) {
            experts[i] = choices.experts()[choices.finalAt(own[i])];
            outcomes[i] = Outcome.ofCode(choices.outcomes()[own[i]]);
            attempts[i] = choices.attempts()[own[i]];
        }
        RankedGate[] gates =
                choices.gates().isOne()
                        ? new RankedGate[] {oneGate(choices, row, spec.gateName(0))}
                        : severalGates(choices, row, spec);
        return new DecisionRecord.Layer(gates, experts, outcomes, attempts);
    }

    private static RankedGate oneGate(Choices choices, int row, String name) {
        int from = row * choices.ranks();
        int to = from + choices.ranks();
        return new RankedGate(
                name,
                Arrays.copyOfRange(choices.experts(), from, to),
                scores(choices.scores(), from, to),
                Arrays.copyOfRange(choices.weights(), from, to));
    }

    private static RankedGate[] severalGates(Choices choices, int row, LayerSpec spec) {
        GateRanks ranks = choices.gates();
        RankedGate[] gates = new RankedGate[ranks.sizes().length];
        int from = row * ranks.sum();
        for (int gate = 0; gate < gates.length; gate++) {
            int to = from + ranks.sizes()[gate];
            int[] experts = new int[to - from];
            for (int rank = from; rank < to; rank++) {
                int place = ranks.places()[rank];
                experts[rank - from] =
                        place < 0 ? -1 : choices.experts()[row * choices.ranks() + place];
            }
            gates[gate] =
                    new RankedGate(
                            spec.gateName(gate),
                            experts,
                            scores(ranks.scores(), from, to),
                            Arrays.copyOfRange(ranks.weights(), from, to));
            from = to;
        }
        return gates;
    }

    private static float[] scores(float[] scores, int from, int to) {
        if (scores.length > 0) {
            return Arrays.copyOfRange(scores, from, to);
        }
        float[] unknown = new float[to - from];
        Arrays.fill(unknown, Float.NaN);
        return unknown;
    }
}
