// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.explain;

import io.flinkmoe.schemas.ChoiceOutcome;
import io.flinkmoe.schemas.GateRanking;
import io.flinkmoe.schemas.LayerRanking;
import io.flinkmoe.schemas.RankedExpert;
import io.flinkmoe.schemas.SettledChoice;
import io.flinkmoe.schemas.TokenDecision;
import io.flinkmoe.scoring.cli.TextTable;
import java.time.Instant;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Formats an entry of the decision log: which experts were candidates, and the outcome of each
 * choice.
 */
@Internal
final class Explanation {

    private final TokenDecision decision;

    Explanation(TokenDecision decision) {
        this.decision = decision;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        TextTable head =
                new TextTable("", "")
                        .row("stream", decision.getStream())
                        .row("position", decision.getPosition())
                        .row("event time", decision.getTimestamp())
                        .row("window", window())
                        .row("model", decision.getModelVersion());
        text.append(head);
        List<LayerRanking> layers = decision.getLayers();
        for (int layer = 0; layer < layers.size(); layer++) {
            text.append("%nLayer %d%n".formatted(layer));
            appendGates(layers.get(layer), text);
        }
        return text.toString();
    }

    private String window() {
        return decision.getWindowStart() == null
                ? "none (no capacity is set)"
                : "starts at " + Instant.ofEpochMilli(decision.getWindowStart());
    }

    private static void appendGates(LayerRanking layer, StringBuilder text) {
        if (layer.getGates().size() == 1) {
            text.append(table(layer));
            return;
        }
        for (GateRanking gate : layer.getGates()) {
            text.append("Gate %s%n".formatted(gate.getName())).append(table(layer, gate));
        }
    }

    /** One of several gates: its ranks, each with the outcome of the expert. */
    private static TextTable table(LayerRanking layer, GateRanking gate) {
        TextTable table = new TextTable(">rank", ">expert", ">score", ">weight", "outcome");
        int rank = 0;
        for (RankedExpert expert : gate.getRanks()) {
            rank++;
            if (expert.getExpert() < 0 && rank > 1) {
                break; // The gate masked the other experts.
            }
            table.row(
                    rank,
                    expert.getExpert() < 0 ? "none" : expert.getExpert(),
                    "%.4f".formatted(expert.getScore()),
                    "%.4f".formatted(expert.getWeight()),
                    outcome(layer, expert.getExpert()));
        }
        return table;
    }

    private static String outcome(LayerRanking layer, int expert) {
        for (SettledChoice choice : layer.getChoices()) {
            if (choice.getExpert() == expert) {
                return outcome(choice, choice.getAttempt());
            }
        }
        return "";
    }

    private static TextTable table(LayerRanking layer) {
        List<RankedExpert> ranks = layer.getGates().get(0).getRanks();
        TextTable table =
                new TextTable(">rank", ">expert", ">score", ">weight", "candidate for", "outcome");
        int k = layer.getChoices().size();
        for (int rank = 0; rank < ranks.size() && k > 0; rank++) {
            RankedExpert expert = ranks.get(rank);
            if (expert.getExpert() < 0 && rank >= k) {
                break; // The gate masked the other experts.
            }
            SettledChoice choice = layer.getChoices().get(rank % k);
            int attempt = rank / k;
            table.row(
                    rank + 1,
                    expert.getExpert() < 0 ? "none" : expert.getExpert(),
                    "%.4f".formatted(expert.getScore()),
                    "%.4f".formatted(expert.getWeight()),
                    "choice %d, attempt %d".formatted(rank % k + 1, attempt + 1),
                    attempt > choice.getAttempt() ? "not tried" : outcome(choice, attempt));
        }
        return table;
    }

    /** The outcome of an attempt that was made. */
    private static String outcome(SettledChoice choice, int attempt) {
        if (attempt < choice.getAttempt()) {
            return "no remaining capacity; the next candidate was tried";
        }
        ChoiceOutcome outcome = choice.getOutcome();
        return switch (outcome) {
            case EXECUTED -> "executed";
            case REROUTED -> "rerouted: this expert executed it instead";
            case OVERFLOWED -> "overflowed: no remaining capacity, so it adds nothing";
            case LATE -> "late: the window was closed, so it adds nothing";
            case FAILED -> "failed: an error or a value that is not finite, so it adds nothing";
        };
    }
}
