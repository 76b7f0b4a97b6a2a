// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.explain;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.schemas.ChoiceOutcome;
import io.flinkmoe.schemas.GateRanking;
import io.flinkmoe.schemas.LayerRanking;
import io.flinkmoe.schemas.RankedExpert;
import io.flinkmoe.schemas.SettledChoice;
import io.flinkmoe.schemas.TokenDecision;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ExplanationTest {

    @Test
    void tellsOfEveryExpertWhetherItWasTriedAndWhatItDid() {
        LayerRanking layer =
                new LayerRanking(
                        List.of(
                                gate(
                                        "0",
                                        new RankedExpert(5, 0.5f, 0.625f),
                                        new RankedExpert(2, 0.3f, 0.375f),
                                        new RankedExpert(7, 0.1f, 0.125f),
                                        new RankedExpert(0, 0.05f, 0.0625f))),
                        List.of(
                                new SettledChoice(5, ChoiceOutcome.EXECUTED, 0),
                                new SettledChoice(0, ChoiceOutcome.REROUTED, 1)));
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
                        List.of(gate("0", new RankedExpert(-1, Float.NaN, 0f))),
                        List.of(new SettledChoice(-1, ChoiceOutcome.FAILED, 0)));
        TokenDecision decision =
                new TokenDecision("s", 0L, Instant.EPOCH, null, "v", List.of(layer));
        assertThat(new Explanation(decision).toString())
                .contains("none (no capacity is set)", "none", "failed: an error or a value");
    }

    @Test
    void tellsOfEveryGateWhatItsExpertsDid() {
        LayerRanking layer =
                new LayerRanking(
                        List.of(
                                gate(
                                        "click",
                                        new RankedExpert(5, 0.5f, 0.625f),
                                        new RankedExpert(2, 0.3f, 0.375f)),
                                gate(
                                        "buy",
                                        new RankedExpert(2, 1f, 1f),
                                        new RankedExpert(-1, 0f, 0f))),
                        List.of(
                                new SettledChoice(5, ChoiceOutcome.EXECUTED, 0),
                                new SettledChoice(2, ChoiceOutcome.OVERFLOWED, 0)));
        String overflowed = "overflowed: no remaining capacity, so it adds nothing";

        assertThat(layer(layer))
                .containsExactly(
                        "Layer 0",
                        "Gate click",
                        "  rank  expert   score  weight  outcome",
                        "     1       5  0.5000  0.6250  executed",
                        "     2       2  0.3000  0.3750  " + overflowed,
                        "Gate buy",
                        "  rank  expert   score  weight  outcome",
                        "     1       2  1.0000  1.0000  " + overflowed);
    }

    /** A dense gate masks experts, so the token has fewer choices than others. */
    @Test
    void leavesOutTheRanksThatHaveNoExpert() {
        LayerRanking layer =
                new LayerRanking(
                        List.of(
                                gate(
                                        "0",
                                        new RankedExpert(5, 0.5f, 0.625f),
                                        new RankedExpert(-1, 0f, 0f),
                                        new RankedExpert(-1, 0f, 0f))),
                        List.of(new SettledChoice(5, ChoiceOutcome.EXECUTED, 0)));

        assertThat(layer(layer))
                .containsExactly(
                        "Layer 0",
                        "  rank  expert   score  weight  candidate for        outcome",
                        "     1       5  0.5000  0.6250  choice 1, attempt 1  executed");
    }

    private static Stream<String> layer(LayerRanking layer) {
        TokenDecision decision =
                new TokenDecision("s", 0L, Instant.EPOCH, null, "v", List.of(layer));
        return new Explanation(decision)
                .toString()
                .lines()
                .dropWhile(line -> !line.isEmpty())
                .skip(1);
    }

    private static GateRanking gate(String name, RankedExpert... ranks) {
        return new GateRanking(name, List.of(ranks));
    }
}
