// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A gate of a layer: what chooses experts and weighs them. Its output is the weighted sum of their
 * outputs. A gate has a router with a routing, or a rule.
 *
 * @param name the name by which outputs and reports call the gate; null for its number
 * @param router the model [batch, input] → [batch, n] that computes the logits; null for a rule
 * @param routerInput what the router reads: the hidden vectors; the layer's input, before the norm
 *     (Gemma 4); or, in the first layer only, the token's own values (a hash router reads a token
 *     id that is one of them); null means hidden
 * @param routerNoise the model [batch, input] → [batch, n] that computes the standard deviation of
 *     noise of kind NORMAL; null for other kinds
 * @param input the columns of the layer's input that the router reads; null for all
 * @param experts the n experts that the gate may use: column i of the logits belongs to the i-th of
 *     them; null for all experts of the layer, in their order
 * @param routing how the gate selects experts and weighs them; null for a rule
 * @param rule a table from streams or values to experts; null for a router
 */
@PublicEvolving
public record GateSpec(
        String name,
        ModelFile router,
        RouterInput routerInput,
        ModelFile routerNoise,
        Slice input,
        List<Integer> experts,
        RoutingConfig routing,
        RuleSpec rule) {

    /** What a router reads. */
    public enum RouterInput {
        HIDDEN,
        LAYER_INPUT,
        TOKEN
    }

    public GateSpec {
        if (name != null) {
            Check.text("name", name);
        }
        if (rule != null) {
            refuse("router", router);
            refuse("router_input", routerInput);
            refuse("router_noise", routerNoise);
            refuse("input", input);
            refuse("experts", experts);
            refuse("routing", routing);
        } else {
            if (router == null) {
                throw new IllegalArgumentException(
                        "router is missing; set router and routing, or set rule");
            }
            Check.present("routing", routing);
            checkNoise(routerNoise, routing);
        }
        if (input != null && routerInput == RouterInput.TOKEN) {
            throw new IllegalArgumentException(
                    "input is [%d, %d], but router_input is token; a slice is one of the hidden vectors, so remove one of the two"
                            .formatted(input.from(), input.to()));
        }
        if (experts != null) {
            experts = Check.list("experts", experts);
            checkExperts(experts, routing.numExperts());
        }
    }

    private static void refuse(String field, Object value) {
        if (value != null) {
            throw new IllegalArgumentException(
                    "%s is set, but the gate has a rule; remove one of the two".formatted(field));
        }
    }

    private static void checkNoise(ModelFile routerNoise, RoutingConfig routing) {
        boolean normalNoise =
                routing.noise() != null && routing.noise().kind() == RouterNoise.Kind.NORMAL;
        if (normalNoise != (routerNoise != null)) {
            throw new IllegalArgumentException(
                    "router_noise is %s, but noise is %s; noise of kind normal requires router_noise, and other noise does not allow it"
                            .formatted(
                                    routerNoise == null ? "missing" : "'" + routerNoise + "'",
                                    routing.noise() == null ? "none" : routing.noise().kind()));
        }
    }

    private static void checkExperts(List<Integer> experts, int columns) {
        if (experts.size() != columns) {
            throw new IllegalArgumentException(
                    "experts lists %d experts, but routing.num_experts is %d; list one expert per column of the logits"
                            .formatted(experts.size(), columns));
        }
        Set<Integer> seen = new HashSet<>();
        for (int i = 0; i < experts.size(); i++) {
            if (!seen.add(experts.get(i))) {
                throw new IllegalArgumentException(
                        "experts[%d] is %d, which is listed twice; list each expert once"
                                .formatted(i, experts.get(i)));
            }
        }
    }

    /** A gate without a name, over the whole input and all experts. */
    public static GateSpec of(String router, RoutingConfig routing) {
        return new GateSpec(
                null, ModelFile.of("router", router), null, null, null, null, routing, null);
    }

    /** A gate with a rule. */
    public static GateSpec of(String name, RuleSpec rule) {
        return new GateSpec(name, null, null, null, null, null, null, rule);
    }

    /** k, the choices that the gate makes for a token: n for a dense gate, 1 for a rule. */
    public int k() {
        return rule != null ? 1 : routing.k();
    }

    /**
     * The width of the gate's sum, which is that of its experts' outputs.
     *
     * @param all the experts of the layer; one that is not there counts as the first, and the layer
     *     is refused for it
     */
    public int outputSize(List<ExpertSpec> all) {
        int first = experts == null ? 0 : experts.get(0);
        if (rule != null) {
            first = ExpertSpec.number(all, rule.experts().first());
        }
        boolean exists = first >= 0 && first < all.size();
        return all.get(exists ? first : 0).outputSize();
    }

    /** Whether the router has noise. */
    public boolean isNoisy() {
        return routing != null && routing.noise() != null;
    }

    /** Whether the router reads the layer's input, before the norm. */
    public boolean readsLayerInput() {
        return routerInput == RouterInput.LAYER_INPUT;
    }

    /** Whether the router reads the token's own values. */
    public boolean readsToken() {
        return routerInput == RouterInput.TOKEN;
    }

    /** The input column that the gate's rule reads; null if it has none. */
    String ruleColumn() {
        return rule == null ? null : rule.column();
    }

    /** The name of a gate, or its number. */
    static String name(List<GateSpec> gates, int gate) {
        String name = gates.get(gate).name();
        return name == null ? String.valueOf(gate) : name;
    }

    /** All files of the gate. */
    Stream<ModelFile> files() {
        return Stream.of(router, routerNoise).filter(Objects::nonNull);
    }

    /** The choices of a layer: which experts its gates choose among, and how many of them. */
    public interface Choices {

        /** The N experts. */
        List<ExpertSpec> experts();

        /** The gates, at least one. */
        List<GateSpec> gates();

        /** N. */
        default int numExperts() {
            return experts().size();
        }

        /** The most experts that a token runs: min(N, Σ k over the gates). */
        default int choices() {
            return Math.min(numExperts(), ranks());
        }

        /** [G], k of each gate. */
        default List<Integer> choicesOfGates() {
            return gates().stream().map(GateSpec::k).toList();
        }

        /** Σ k over the gates. */
        default int ranks() {
            return gates().stream().mapToInt(GateSpec::k).sum();
        }

        /** The columns of the logits of all gates. */
        default int columns() {
            return gates().stream()
                    .filter(gate -> gate.routing() != null)
                    .mapToInt(gate -> gate.routing().numExperts())
                    .sum();
        }

        /** Whether there is one gate, whose choices are those of the layer. */
        default boolean hasOneGate() {
            return gates().size() == 1;
        }

        /** The input columns that rules of this layer read. */
        default List<String> ruleColumns() {
            return gates().stream().map(GateSpec::ruleColumn).filter(Objects::nonNull).toList();
        }

        /** The name of an expert, or its number. */
        default String expertName(int expert) {
            return ExpertSpec.name(experts(), expert);
        }

        /** The name of a gate, or its number. */
        default String gateName(int gate) {
            return GateSpec.name(gates(), gate);
        }

        /** [G], the names of the gates, or their numbers. */
        default List<String> gateNames() {
            return IntStream.range(0, gates().size()).mapToObj(this::gateName).toList();
        }

        /** The names of the experts. */
        default List<String> expertNames() {
            return IntStream.range(0, numExperts()).mapToObj(this::expertName).toList();
        }

        /** The experts that a gate may use, in the order of its logits' columns. */
        default int[] expertsOf(int gate) {
            GateSpec spec = gates().get(gate);
            if (spec.rule() != null) {
                return spec.rule().experts().stream().mapToInt(this::expertNumber).toArray();
            }
            return spec.experts() == null
                    ? IntStream.range(0, numExperts()).toArray()
                    : spec.experts().stream().mapToInt(i -> i).toArray();
        }

        /** The number of an expert by its name; -1 if there is none. */
        default int expertNumber(String name) {
            return ExpertSpec.number(experts(), name);
        }
    }
}
