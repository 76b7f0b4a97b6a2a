// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.RuleSpec;
import io.flinkmoe.routing.RoutingConfig;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a capacity needs of the gates of a layer. */
class JobChecksTest {

    private static final AtWindowClose PLAIN =
            AtWindowClose.of(
                    new TumblingWindows(1), CapacityFormula.fixed(1), AdmissionOrder.POSITION);
    private static final AtWindowClose REROUTED = PLAIN.withOverflowRounds(1);
    private static final AtWindowClose SHARES =
            AtWindowClose.of(
                            new TumblingWindows(1),
                            CapacityFormula.fixed(1),
                            AdmissionOrder.GATE_SCORE)
                    .withWeightRule(WeightRule.WINDOW);

    private static final GateSpec TOP = GateSpec.of("router.onnx", RoutingConfig.softmax(4, 2));
    private static final GateSpec DENSE = GateSpec.of("router.onnx", RoutingConfig.dense(4));
    private static final GateSpec RULE =
            GateSpec.of("rule", RuleSpec.ofStream(Map.of("s", "1"), null));

    /** What a message says, and the gates that it is about. */
    record Gates(String found, List<GateSpec> gates) {
        @Override
        public String toString() {
            return found;
        }
    }

    static Stream<Gates> others() {
        return Stream.of(
                new Gates("has 2 gates", List.of(TOP, TOP)),
                new Gates("has 3 gates", List.of(TOP, DENSE, RULE)),
                new Gates("has a dense gate", List.of(DENSE)),
                new Gates("has a gate with a rule", List.of(RULE)));
    }

    @ParameterizedTest
    @MethodSource("others")
    void reroutingNeedsOneGateThatChoosesTheBest(Gates others) {
        assertThatThrownBy(() -> JobChecks.checkCapacity(REROUTED, spec(others.gates)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.overflow.policy is next-expert, but layer 1 %s;"
                                + " allowed then: residual",
                        others.found);
    }

    @ParameterizedTest
    @MethodSource("others")
    void sharesOfAWindowNeedOneGateThatChoosesTheBest(Gates others) {
        assertThatThrownBy(() -> JobChecks.checkCapacity(SHARES, spec(others.gates)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.capacity.weights is window, but layer 1 %s;"
                                + " allowed then: router, survivors",
                        others.found);
    }

    @ParameterizedTest
    @MethodSource("others")
    void otherCapacitiesTakeAllGates(Gates others) {
        assertThatNoException()
                .isThrownBy(
                        () -> {
                            JobChecks.checkCapacity(PLAIN, spec(others.gates));
                            JobChecks.checkCapacity(
                                    PLAIN.withWeightRule(WeightRule.SURVIVORS), spec(others.gates));
                        });
    }

    @Test
    void oneGateThatChoosesTheBestTakesAllCapacities() {
        assertThatNoException()
                .isThrownBy(
                        () -> {
                            JobChecks.checkCapacity(REROUTED, spec(List.of(TOP)));
                            JobChecks.checkCapacity(SHARES, spec(List.of(TOP)));
                        });
        assertThatThrownBy(
                        () ->
                                JobChecks.checkCapacity(
                                        PLAIN.withOverflowRounds(2), spec(List.of(TOP))))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(" is 2, but layer 0 selects 2 of 4 experts per token");
    }

    /** A layer with one gate, and one with the given gates. */
    private static BundleSpec spec(List<GateSpec> gates) {
        LayerSpec first = LayerSpec.oneGate(4, "router.onnx", TOP.routing(), experts());
        LayerSpec second =
                new LayerSpec(
                        4,
                        4 * gates.size(),
                        null,
                        null,
                        ResidualKind.NONE,
                        first.experts(),
                        List.of(),
                        gates,
                        null);
        return new BundleSpec(
                BundleSpec.FORMAT_VERSION,
                "gates",
                "v1",
                4,
                4 * gates.size(),
                null,
                null,
                List.of(first, second),
                Map.of("router.onnx", "00", "expert.onnx", "00"));
    }

    private static List<String> experts() {
        return List.of("expert.onnx", "expert.onnx", "expert.onnx", "expert.onnx");
    }
}
