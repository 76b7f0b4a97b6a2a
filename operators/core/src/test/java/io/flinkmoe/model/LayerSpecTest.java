// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** Each test of a refusal breaks one thing in a good layer. */
class LayerSpecTest {

    private static final ModelFile R = ModelFile.of("r");
    private static final ExpertSpec A = new ExpertSpec("a", ModelFile.of("a.onnx"), null, 4);
    private static final ExpertSpec B =
            new ExpertSpec("b", ModelFile.of("b.onnx"), new Slice(1, 3), 4);
    private static final GateSpec TOP = GateSpec.of("router.onnx", RoutingConfig.mixtral(2, 1));
    private static final RouterNoise NORMAL = new RouterNoise(RouterNoise.Kind.NORMAL, 1);

    @Test
    void tellsTheSizesOfALayerWithOneGate() {
        LayerSpec layer =
                LayerSpec.oneGate(4, "router.onnx", RoutingConfig.mixtral(2, 1), List.of("a", "b"));

        assertThat(layer.numExperts()).isEqualTo(2);
        assertThat(layer.choices()).isEqualTo(1);
        assertThat(layer.ranks()).isEqualTo(1);
        assertThat(layer.columns()).isEqualTo(2);
        assertThat(layer.expertsOf(0)).containsExactly(0, 1);
        assertThat(layer.expertName(1)).isEqualTo("1");
        assertThat(layer.gateName(0)).isEqualTo("0");
        assertThat(layer.carriedSize()).isEqualTo(4);
        assertThat(layer.needsAnExpert()).isFalse();
        assertThat(layer.expertsTakeTheResidual()).isTrue();
        assertThat(layer.withResidual(ResidualKind.NONE).carriedSize()).isZero();
        assertThat(layer.withResidual(ResidualKind.NONE).needsAnExpert()).isTrue();
        LayerSpec shared = layer.withSharedExperts(List.of("s"));
        assertThat(shared.needsAnExpert()).isFalse();
        assertThat(shared.withResidual(ResidualKind.NONE).needsAnExpert()).isTrue();
        assertThat(layer.widthsOfCalls()).isEqualTo(8);
    }

    @Test
    void tellsTheSizesOfALayerWithSeveralGates() {
        GateSpec second =
                new GateSpec(
                        "second",
                        ModelFile.of("second.onnx"),
                        null,
                        null,
                        new Slice(0, 3),
                        List.of(1),
                        RoutingConfig.dense(1),
                        null);
        GateSpec rule = GateSpec.of("rule", RuleSpec.ofStream(Map.of("s", "b"), "a"));
        LayerSpec layer = layer(12, ResidualKind.NONE, List.of(A, B), TOP, second, rule);

        assertThat(layer.ranks()).isEqualTo(3);
        assertThat(layer.choices()).as("no more than there are experts").isEqualTo(2);
        assertThat(layer.columns()).isEqualTo(3);
        assertThat(layer.expertsOf(0)).containsExactly(0, 1);
        assertThat(layer.expertsOf(1)).containsExactly(1);
        assertThat(layer.expertsOf(2)).containsExactly(0, 1);
        assertThat(layer.gateInput(0)).isEqualTo(4);
        assertThat(layer.gateInput(1)).isEqualTo(3);
        assertThat(layer.expertInput(0)).isEqualTo(4);
        assertThat(layer.expertInput(1)).isEqualTo(2);
        assertThat(layer.gateWidth(2)).isEqualTo(4);
        assertThat(layer.gateName(0)).isEqualTo("0");
        assertThat(layer.gateName(1)).isEqualTo("second");
        assertThat(layer.expertNumber("b")).isEqualTo(1);
        assertThat(layer.expertNumber("1")).isEqualTo(-1);
        assertThat(layer.widthsOfCalls()).isEqualTo(14);
        assertThat(layer.files().map(ModelFile::file))
                .containsExactly("router.onnx", "second.onnx", "a.onnx", "b.onnx");
    }

    @Test
    void keepsResidualAndSharedExpertsApartBeforeAPostNorm() {
        LayerSpec both = withPostNorm(ResidualKind.INPUT, List.of("shared.onnx"));

        assertThat(both.carriedSize()).isEqualTo(8);
        assertThat(withPostNorm(ResidualKind.INPUT, List.of()).carriedSize()).isEqualTo(4);
        assertThat(withPostNorm(ResidualKind.NONE, List.of("s.onnx")).carriedSize()).isEqualTo(4);
        assertThat(withPostNorm(ResidualKind.NONE, List.of()).carriedSize()).isZero();
        assertThat(both.files().map(ModelFile::file))
                .containsExactly("router.onnx", "a.onnx", "b.onnx", "shared.onnx", "post.onnx");
    }

    private static LayerSpec withPostNorm(ResidualKind residual, List<String> shared) {
        return new LayerSpec(
                4,
                4,
                null,
                ModelFile.of("post.onnx"),
                residual,
                List.of(A, B),
                files(shared),
                List.of(TOP),
                null);
    }

    @Test
    void refusesWhatIsMissingOrNoPath() {
        List<ExpertSpec> experts = List.of(A, B);
        List<GateSpec> gates = List.of(TOP);
        assertRefused(
                () -> spec(0, 4, null, null, ResidualKind.NONE, null),
                "input_size is 0; allowed: 1 to 1048576");
        assertRefused(
                () -> spec(4, 1 << 20 | 1, null, null, ResidualKind.NONE, null),
                "output_size is 1048577; allowed: 1 to 1048576");
        assertRefused(
                () -> spec(4, 4, null, null, null, null),
                "residual is missing; allowed: input, none, hidden");
        assertRefused(
                () -> spec(4, 4, "../n", null, ResidualKind.INPUT, null),
                "file is '../n'; expected a path inside the bundle, such as experts/0.onnx");
        assertRefused(
                () -> spec(4, 4, null, "/p", ResidualKind.INPUT, null),
                "file is '/p'; expected a path inside the bundle, such as experts/0.onnx");
        assertRefused(
                () -> spec(4, 4, null, null, ResidualKind.INPUT, "a/"),
                "file is 'a/'; expected a path inside the bundle, such as experts/0.onnx");
        assertRefused(
                () -> lists(null, List.of(), gates),
                "experts is missing or empty; expected at least one entry");
        assertRefused(
                () -> lists(List.of(), List.of(), gates),
                "experts is missing or empty; expected at least one entry");
        assertRefused(
                () -> lists(Arrays.asList(A, null), List.of(), gates),
                "experts[1] is missing; set it");
        assertRefused(
                () -> lists(experts, List.of(), null),
                "gates is missing or empty; expected at least one entry");
        assertRefused(
                () -> lists(experts, List.of(), List.of()),
                "gates is missing or empty; expected at least one entry");
        assertRefused(
                () -> lists(experts, List.of(), Collections.singletonList(null)),
                "gates[0] is missing; set it");
        assertRefused(
                () -> lists(experts, Arrays.asList("s.onnx", null), gates),
                "shared_experts[1] is missing; set it");
        assertThat(lists(experts, null, gates).sharedExperts()).isEmpty();
    }

    private static LayerSpec spec(
            int in, int out, String norm, String postNorm, ResidualKind residual, String scale) {
        return new LayerSpec(
                in,
                out,
                ModelFile.ofNullable(norm),
                ModelFile.ofNullable(postNorm),
                residual,
                List.of(A, B),
                List.of(),
                List.of(TOP),
                ModelFile.ofNullable(scale));
    }

    private static LayerSpec lists(
            List<ExpertSpec> experts, List<String> shared, List<GateSpec> gates) {
        return new LayerSpec(
                4, 4, null, null, ResidualKind.INPUT, experts, files(shared), gates, null);
    }

    private static List<ModelFile> files(List<String> paths) {
        return paths == null ? null : paths.stream().map(ModelFile::ofNullable).toList();
    }

    @Test
    void refusesAResidualOfAnotherWidth() {
        assertRefused(
                () -> layer(8, ResidualKind.INPUT, List.of(A, B), TOP, TOP),
                "residual is input, but input_size is 4 and output_size is 8;"
                        + " they must be equal, or set residual to none");
    }

    @Test
    void refusesGatesWhoseWidthsAreNotThatOfTheOutput() {
        assertRefused(
                () -> layer(7, ResidualKind.NONE, List.of(A, B), TOP, TOP),
                "output_size is 7, but the outputs of the experts at the 2 gates have 8 values"
                        + " together; they must be equal");
    }

    @Test
    void refusesASliceBeyondTheInput() {
        ExpertSpec wide = new ExpertSpec(null, ModelFile.of("b.onnx"), new Slice(2, 5), 4);
        assertRefused(
                () -> layer(4, ResidualKind.INPUT, List.of(A, wide), TOP),
                "experts[1].input is [2, 5], but input_size is 4; allowed: slices of 0 to 4");

        GateSpec gate =
                new GateSpec(null, R, null, null, new Slice(4, 5), null, TOP.routing(), null);
        assertRefused(
                () -> layer(4, ResidualKind.INPUT, List.of(A, B), gate),
                "gates[0].input is [4, 5], but input_size is 4; allowed: slices of 0 to 4");
    }

    @Test
    void refusesANameTwice() {
        assertRefused(
                () -> layer(4, ResidualKind.INPUT, List.of(A, A), TOP),
                "experts[1].name is a, which another expert has; names must differ");

        GateSpec named = new GateSpec("g", R, null, null, null, null, TOP.routing(), null);
        assertRefused(
                () -> layer(12, ResidualKind.NONE, List.of(A, B), named, TOP, named),
                "gates[2].name is g, which another gate has; names must differ");
        // A gate without a name is called by its number.
        GateSpec zero = new GateSpec("0", R, null, null, null, null, TOP.routing(), null);
        assertRefused(
                () -> layer(8, ResidualKind.NONE, List.of(A, B), TOP, zero),
                "gates[1].name is 0, which another gate has; names must differ");
    }

    @Test
    void refusesNoiseWithSeveralGates() {
        GateSpec noisy = noisy(null, RoutingConfig.mixtral(2, 1).withNoise(jitter()));
        assertThat(layer(4, ResidualKind.INPUT, List.of(A, B), noisy).gates().get(0).isNoisy())
                .isTrue();
        assertRefused(
                () -> layer(8, ResidualKind.NONE, List.of(A, B), TOP, noisy),
                "gates[1].routing.noise is set, but the layer has 2 gates;"
                        + " noise is allowed with one gate");
    }

    @Test
    void refusesAGateOverExpertsThatAreNotThere() {
        assertRefused(
                () -> layer(4, ResidualKind.INPUT, List.of(A), TOP),
                "gates[0].routing.num_experts is 2, but the layer has 1 experts; they must be"
                        + " equal, or list the gate's experts in gates[0].experts");
        for (int expert : new int[] {-1, 2}) {
            assertRefused(
                    () -> layer(4, ResidualKind.INPUT, List.of(A, B), over(List.of(1, expert))),
                    "gates[0].experts[1] is %d; allowed: 0 to 1, the experts of the layer"
                            .formatted(expert));
        }
    }

    @Test
    void refusesExpertsOfSeveralWidthsAtOneGate() {
        ExpertSpec narrow = new ExpertSpec("narrow", ModelFile.of("n.onnx"), null, 3);
        assertRefused(
                () -> layer(4, ResidualKind.INPUT, List.of(A, narrow), TOP),
                "gates[0].experts[1] is expert 1, whose output_size is 3; the gate's other experts"
                        + " have 4, and all experts of a gate must have one width");
        GateSpec rule = GateSpec.of("g", RuleSpec.ofStream(Map.of("s", "a"), "narrow"));
        assertRefused(
                () -> layer(4, ResidualKind.INPUT, List.of(A, narrow), rule),
                "gates[0].rule chooses expert narrow, whose output_size is 3; the gate's other experts"
                        + " have 4, and all experts of a gate must have one width");
    }

    @Test
    void refusesARuleForAnExpertThatIsNotThere() {
        ExpertSpec unnamed = ExpertSpec.of("u.onnx", 4);
        GateSpec rule = GateSpec.of("g", RuleSpec.ofStream(Map.of("s", "c"), null));
        assertRefused(
                () -> layer(4, ResidualKind.INPUT, List.of(A, unnamed, unnamed), rule),
                "gates[0].rule chooses the expert c, which is not there; allowed: [a, 1, 2]");
        GateSpec fallback = GateSpec.of("g", RuleSpec.ofStream(Map.of("s", "2"), "0"));
        assertRefused(
                () -> layer(4, ResidualKind.INPUT, List.of(A, unnamed, unnamed), fallback),
                "gates[0].rule chooses the expert 0, which is not there; allowed: [a, 1, 2]");
    }

    @Test
    void refusesARuleBesidesARouter() {
        RuleSpec rule = RuleSpec.ofStream(Map.of(), "a");
        String end = " is set, but the gate has a rule; remove one of the two";
        assertRefused(
                () -> new GateSpec("g", R, null, null, null, null, null, rule), "router" + end);
        assertRefused(
                () ->
                        new GateSpec(
                                "g",
                                null,
                                GateSpec.RouterInput.HIDDEN,
                                null,
                                null,
                                null,
                                null,
                                rule),
                "router_input" + end);
        assertRefused(
                () -> new GateSpec("g", null, null, R, null, null, null, rule),
                "router_noise" + end);
        assertRefused(
                () -> new GateSpec("g", null, null, null, new Slice(0, 1), null, null, rule),
                "input" + end);
        assertRefused(
                () -> new GateSpec("g", null, null, null, null, List.of(0), null, rule),
                "experts" + end);
        assertRefused(
                () -> new GateSpec("g", null, null, null, null, null, TOP.routing(), rule),
                "routing" + end);
        assertThat(GateSpec.of("g", rule).k()).isEqualTo(1);
    }

    @Test
    void refusesAGateWithoutItsParts() {
        assertRefused(
                () -> new GateSpec(" ", R, null, null, null, null, TOP.routing(), null),
                "name is missing or blank; set it");
        assertRefused(
                () -> GateSpec.of((String) null, TOP.routing()),
                "router is missing; set router and routing, or set rule");
        assertRefused(
                () -> GateSpec.of("..", TOP.routing()),
                "router is '..'; expected a path inside the bundle, such as experts/0.onnx");
        assertRefused(() -> GateSpec.of("r", (RoutingConfig) null), "routing is missing; set it");
    }

    @Test
    void refusesNoiseWithoutItsModelAndAModelWithoutNoise() {
        String end =
                "; noise of kind normal requires router_noise, and other noise does not allow it";
        assertRefused(
                () -> noisy(null, TOP.routing().withNoise(NORMAL)),
                "router_noise is missing, but noise is NORMAL" + end);
        assertRefused(
                () -> noisy("n.onnx", TOP.routing()),
                "router_noise is 'n.onnx', but noise is none" + end);
        assertRefused(
                () -> noisy("n.onnx", TOP.routing().withNoise(jitter())),
                "router_noise is 'n.onnx', but noise is INPUT_JITTER" + end);
        assertRefused(
                () -> noisy("/n", TOP.routing().withNoise(NORMAL)),
                "file is '/n'; expected a path inside the bundle, such as experts/0.onnx");
        assertThat(noisy("n.onnx", TOP.routing().withNoise(NORMAL)).files().map(ModelFile::file))
                .containsExactly("router.onnx", "n.onnx");
    }

    @Test
    void refusesASliceOfATokensOwnValues() {
        assertRefused(
                () ->
                        new GateSpec(
                                null,
                                R,
                                GateSpec.RouterInput.TOKEN,
                                null,
                                new Slice(1, 2),
                                null,
                                TOP.routing(),
                                null),
                "input is [1, 2], but router_input is token; a slice is one of the hidden vectors,"
                        + " so remove one of the two");
    }

    @Test
    void refusesExpertsThatAreNotOnePerColumn() {
        assertRefused(
                () -> over(List.of(0)),
                "experts lists 1 experts, but routing.num_experts is 2;"
                        + " list one expert per column of the logits");
        assertRefused(
                () -> over(List.of(3, 3)),
                "experts[1] is 3, which is listed twice; list each expert once");
        assertRefused(() -> over(Arrays.asList(0, null)), "experts[1] is missing; set it");
        assertRefused(
                () -> over(List.of()), "experts is missing or empty; expected at least one entry");
    }

    @Test
    void refusesARuleThatSaysNothing() {
        assertRefused(
                () -> new RuleSpec(false, null, Map.of("s", "a"), null),
                "stream is false and column is null; set stream to true, or column to the name of an input");
        assertRefused(
                () -> new RuleSpec(true, "card", Map.of("s", "a"), null),
                "stream is true and column is card; set stream to true, or column to the name of an input");
        assertRefused(() -> RuleSpec.ofStream(null, "a"), "table is missing; set it");
        assertRefused(
                () -> RuleSpec.ofStream(Map.of("s", " "), "a"),
                "table.s is missing or blank; set it");
        Map<String, String> holes = new TreeMap<>();
        holes.put("s", null);
        assertRefused(() -> RuleSpec.ofStream(holes, "a"), "table.s is missing or blank; set it");
        assertRefused(
                () -> RuleSpec.ofStream(Map.of(), null),
                "table is empty and there is no fallback; set one of them");
    }

    @Test
    void refusesAnExpertWithoutItsParts() {
        assertRefused(
                () -> new ExpertSpec("", ModelFile.of("a.onnx"), null, 1),
                "name is missing or blank; set it");
        assertRefused(() -> ExpertSpec.of(null, 1), "file is missing or blank; set it");
        assertRefused(
                () -> ExpertSpec.of("a//b", 1),
                "file is 'a//b'; expected a path inside the bundle, such as experts/0.onnx");
        for (int width : new int[] {0, -1, 1 << 20 | 1}) {
            assertRefused(
                    () -> ExpertSpec.of("a", width),
                    "output_size is %d; allowed: 1 to 1048576".formatted(width));
        }
    }

    @Test
    void refusesASliceWithoutColumns() {
        for (Runnable slice :
                List.<Runnable>of(
                        () -> new Slice(-1, 2), () -> new Slice(2, 2), () -> new Slice(3, 1))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(slice::run)
                    .withMessageEndingWith(" is no slice; allowed: [from, to] with 0 <= from < to");
        }
        assertRefused(
                () -> new Slice(3, 1),
                "[3, 1] is no slice; allowed: [from, to] with 0 <= from < to");
        assertThat(new Slice(2, 5).width()).isEqualTo(3);
    }

    private static void assertRefused(ThrowingCallable spec, String message) {
        assertThatIllegalArgumentException().isThrownBy(spec).withMessage(message);
    }

    private static LayerSpec layer(
            int out, ResidualKind residual, List<ExpertSpec> experts, GateSpec... gates) {
        return new LayerSpec(
                4, out, null, null, residual, experts, List.of(), List.of(gates), null);
    }

    private static GateSpec over(List<Integer> experts) {
        return new GateSpec(null, R, null, null, null, experts, TOP.routing(), null);
    }

    private static GateSpec noisy(String model, RoutingConfig routing) {
        return new GateSpec(
                null,
                ModelFile.of("router.onnx"),
                null,
                ModelFile.ofNullable(model),
                null,
                null,
                routing,
                null);
    }

    private static RouterNoise jitter() {
        return new RouterNoise(RouterNoise.Kind.INPUT_JITTER, 0.1f);
    }
}
