// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.head;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.RankedGate;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.GateRanks;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class DecisionsTest {

    /** It waited in state when the log was turned on. */
    @Test
    void aTokenThatWasRoutedBeforeTheLogWasAskedForHasNoScores() {
        byte executed = Outcome.EXECUTED.code();
        Choices choices =
                new Choices(
                        1,
                        new int[] {3, 4},
                        new float[] {0.5f, 0.25f},
                        new byte[] {executed, executed});
        LayerSpec spec =
                LayerSpec.oneGate(
                        1,
                        "router.onnx",
                        RoutingConfig.softmax(5, 1),
                        Collections.nCopies(5, "expert.onnx"));

        DecisionRecord.Layer layer = Decisions.ranked(choices, 1, spec);

        assertThat(layer.experts()).containsExactly(4);
        assertThat(layer.gates())
                .containsExactly(
                        new RankedGate(
                                "0", new int[] {4}, new float[] {Float.NaN}, new float[] {0.25f}));
    }

    /** Gate 0 has one rank, gate 1 two. The first token has two choices, the second one. */
    private static Choices ofTwoGates(float[] scores) {
        return new Choices(
                3,
                new int[] {4, 2, -1, 3, -1, -1},
                new float[0],
                Choices.NO_SCORES,
                new byte[] {
                    Outcome.EXECUTED.code(),
                    Outcome.OVERFLOWED.code(),
                    Outcome.NO_CHOICE,
                    Outcome.LATE.code(),
                    Outcome.NO_CHOICE,
                    Outcome.NO_CHOICE
                },
                new byte[6],
                new GateRanks(
                        new int[] {1, 2},
                        new short[] {0, 1, 0, 0, -1, -1},
                        new float[] {1, 0.75f, 0.25f, 0.5f, 0, 0},
                        scores));
    }

    @Test
    void aDecisionHasTheWeightsOfEveryGateForTheChoicesThatATokenMakes() {
        Choices choices = ofTwoGates(Choices.NO_SCORES);

        assertThat(Decisions.of(choices, 0))
                .isEqualTo(
                        new Decision(
                                new int[] {4, 2},
                                new float[] {1, 0, 0.25f, 0.75f},
                                new Outcome[] {Outcome.EXECUTED, Outcome.OVERFLOWED}));
        assertThat(Decisions.of(choices, 1))
                .isEqualTo(
                        new Decision(
                                new int[] {3},
                                new float[] {0.5f, 0},
                                new Outcome[] {Outcome.LATE}));
    }

    @Test
    void theLogHasTheRanksOfEveryGate() {
        LayerSpec spec =
                LayerSpec.oneGate(
                                1,
                                "router.onnx",
                                RoutingConfig.softmax(5, 1),
                                Collections.nCopies(5, "expert.onnx"))
                        .withGates(
                                List.of(
                                        new GateSpec(
                                                "click",
                                                ModelFile.of("router.onnx"),
                                                null,
                                                null,
                                                null,
                                                null,
                                                RoutingConfig.softmax(5, 1),
                                                null)));
        LayerSpec two =
                new LayerSpec(
                        1,
                        2,
                        null,
                        null,
                        ResidualKind.NONE,
                        spec.experts(),
                        List.of(),
                        List.of(
                                spec.gates().get(0),
                                GateSpec.of("router.onnx", RoutingConfig.softmax(5, 2))),
                        null);
        float[] scores = {0.1f, 0.2f, 0.3f, 0.4f, 0, 0};

        DecisionRecord.Layer first = Decisions.ranked(ofTwoGates(scores), 0, two);
        DecisionRecord.Layer second = Decisions.ranked(ofTwoGates(scores), 1, two);

        assertThat(first)
                .isEqualTo(
                        new DecisionRecord.Layer(
                                new RankedGate[] {
                                    gate("click", new int[] {4}, scores, 0, 1, 1),
                                    gate("1", new int[] {2, 4}, scores, 1, 3, 0.75f, 0.25f)
                                },
                                new int[] {4, 2},
                                new Outcome[] {Outcome.EXECUTED, Outcome.OVERFLOWED},
                                new int[2]));
        assertThat(second)
                .isEqualTo(
                        new DecisionRecord.Layer(
                                new RankedGate[] {
                                    gate("click", new int[] {3}, scores, 3, 4, 0.5f),
                                    gate("1", new int[] {-1, -1}, scores, 4, 6, 0, 0)
                                },
                                new int[] {3},
                                new Outcome[] {Outcome.LATE},
                                new int[1]));
        assertThat(Decisions.ranked(ofTwoGates(Choices.NO_SCORES), 0, two).gates()[1].scores())
                .containsExactly(Float.NaN, Float.NaN);
    }

    private static RankedGate gate(
            String name, int[] experts, float[] scores, int from, int to, float... weights) {
        return new RankedGate(name, experts, Arrays.copyOfRange(scores, from, to), weights);
    }

    /** Where the one gate is dense and masks experts. */
    @Test
    void oneGateLeavesOutTheChoicesThatATokenDoesNotMake() {
        Choices choices =
                new Choices(
                        2,
                        new int[] {-1, -1, 3, -1},
                        new float[] {0, 0, 0.5f, 0},
                        new byte[] {
                            Outcome.NO_CHOICE,
                            Outcome.NO_CHOICE,
                            Outcome.EXECUTED.code(),
                            Outcome.NO_CHOICE
                        });

        assertThat(Decisions.of(choices, 0))
                .isEqualTo(new Decision(new int[0], new float[0], new Outcome[0]));
        assertThat(Decisions.of(choices, 1))
                .isEqualTo(
                        new Decision(
                                new int[] {3},
                                new float[] {0.5f},
                                new Outcome[] {Outcome.EXECUTED}));
    }
}
