// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.explain;

import io.flinkmoe.schemas.ChoiceOutcome;
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
            text.append("%nLayer %d%n".formatted(layer)).append(table(layers.get(layer)));
        }
        return text.toString();
    }

    private String window() {
        return decision.getWindowStart() == null
                ? "none (no capacity is set)"
                : "starts at " + Instant.ofEpochMilli(decision.getWindowStart());
    }

    private static TextTable table(LayerRanking layer) {
        TextTable table =
                new TextTable(">rank", ">expert", ">score", ">weight", "candidate for", "outcome");
        int k = layer.getChoices().size();
        for (int rank = 0; rank < layer.getRanks().size(); rank++) {
            RankedExpert expert = layer.getRanks().get(rank);
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
            case OVERFLOWED -> "overflowed: no remaining capacity, only the residual passes";
            case LATE -> "late: the window was closed, only the residual passes";
            case FAILED ->
                    "failed: an error or a value that is not finite, only the residual passes";
        };
    }
}
