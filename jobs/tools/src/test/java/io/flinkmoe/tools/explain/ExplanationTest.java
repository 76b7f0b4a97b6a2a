// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.explain;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.schemas.ChoiceOutcome;
import io.flinkmoe.schemas.LayerRanking;
import io.flinkmoe.schemas.RankedExpert;
import io.flinkmoe.schemas.SettledChoice;
import io.flinkmoe.schemas.TokenDecision;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExplanationTest {

    @Test
    void tellsOfEveryExpertWhetherItWasTriedAndWhatItDid() {
        LayerRanking layer =
                new LayerRanking(
                        List.of(
                                new RankedExpert(5, 0.5f, 0.625f),
                                new RankedExpert(2, 0.3f, 0.375f),
                                new RankedExpert(7, 0.1f, 0.125f),
                                new RankedExpert(0, 0.05f, 0.0625f)),
                        List.of(
                                new SettledChoice(ChoiceOutcome.EXECUTED, 0),
                                new SettledChoice(ChoiceOutcome.REROUTED, 1)));
        TokenDecision decision =
                new TokenDecision(
                        "LAS",
                        17L,
                        Instant.parse("2025-01-01T00:00:59Z"),
                        Instant.parse("2025-01-01T00:00:00Z").toEpochMilli(),
                        "v7",
                        List.of(layer));

        assertThat(new Explanation(decision).toString().lines())
                .containsExactly(
                        "  stream      LAS",
                        "  position    17",
                        "  event time  2025-01-01T00:00:59Z",
                        "  window      starts at 2025-01-01T00:00:00Z",
                        "  model       v7",
                        "",
                        "Layer 0",
                        "  rank  expert   score  weight  candidate for        outcome",
                        "     1       5  0.5000  0.6250  choice 1, attempt 1  executed",
                        "     2       2  0.3000  0.3750  choice 2, attempt 1  no remaining capacity;"
                                + " the next candidate was tried",
                        "     3       7  0.1000  0.1250  choice 1, attempt 2  not tried",
                        "     4       0  0.0500  0.0625  choice 2, attempt 2  rerouted: this expert"
                                + " executed it instead");
    }

    @Test
    void tellsThatThereWasNoWindowAndNoExpert() {
        LayerRanking layer =
                new LayerRanking(
                        List.of(new RankedExpert(-1, Float.NaN, 0f)),
                        List.of(new SettledChoice(ChoiceOutcome.FAILED, 0)));
        TokenDecision decision =
                new TokenDecision("s", 0L, Instant.EPOCH, null, "v", List.of(layer));
        assertThat(new Explanation(decision).toString())
                .contains("none (no capacity is set)", "none", "failed: an error or a value");
    }
}
