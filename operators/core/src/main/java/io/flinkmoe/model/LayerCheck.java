// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/** Checks that the parts of a layer fit together. A message begins with the name of the field. */
@Internal
record LayerCheck(
        Sizes sizes,
        ResidualKind residual,
        List<ExpertSpec> experts,
        List<GateSpec> gates,
        LayerOptions options) {

    /**
     * The widths of a layer.
     *
     * @param input of what comes in
     * @param expertRow of what the experts read
     * @param routed of the sum of the experts' outputs; {@link #ANY} if routed_output turns it into
     *     another width
     * @param output of what goes out
     */
    record Sizes(int input, int expertRow, int routed, int output) {

        static final int ANY = -1;

        static Sizes of(int input, int output, LayerOptions options) {
            int expertRow = options.expertInputSize() == null ? input : options.expertInputSize();
            int routed = options.routedOutput() == null ? output : ANY;
            return new Sizes(input, expertRow, routed, output);
        }
    }

    void check() {
        if (residual != ResidualKind.NONE && sizes.input() != sizes.output()) {
            throw new IllegalArgumentException(
                    "residual is %s, but input_size is %d and output_size is %d; they must be equal, or set residual to none"
                            .formatted(
                                    residual.name().toLowerCase(Locale.ROOT),
                                    sizes.input(),
                                    sizes.output()));
        }
        checkExperts();
        int width = 0;
        for (int gate = 0; gate < gates.size(); gate++) {
            width += checkGate(gate);
        }
        if (sizes.routed() != Sizes.ANY && width != sizes.routed()) {
            throw new IllegalArgumentException(
                    "output_size is %d, but the outputs of the experts at the %d gates have %d values together; they must be equal"
                            .formatted(sizes.output(), gates.size(), width));
        }
        checkGateNames();
        if (options.weighsInput() && gates.size() > 1) {
            throw new IllegalArgumentException(
                    "apply_router_weight_on_input is true, but the layer has %d gates, which may weigh an expert differently; use one gate"
                            .formatted(gates.size()));
        }
    }

    private void checkExperts() {
        if (experts.size() > Short.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "experts lists %d experts; allowed: 1 to %d"
                            .formatted(experts.size(), Short.MAX_VALUE));
        }
        Set<String> names = new HashSet<>();
        for (int i = 0; i < experts.size(); i++) {
            Slice input = experts.get(i).input();
            checkSlice("experts[%d].input".formatted(i), input, sizes.expertRow());
            int width = input == null ? sizes.expertRow() : input.width();
            if (experts.get(i).isIdentity() && experts.get(i).outputSize() != width) {
                throw new IllegalArgumentException(
                        "experts[%d].output_size is %d, but the expert is the identity and reads %d values; they must be equal"
                                .formatted(i, experts.get(i).outputSize(), width));
            }
            if (!names.add(ExpertSpec.name(experts, i))) {
                throw new IllegalArgumentException(
                        "experts[%d].name is %s, which another expert has; names must differ"
                                .formatted(i, ExpertSpec.name(experts, i)));
            }
        }
    }

    private void checkSlice(String field, Slice slice, int width) {
        if (slice != null && slice.to() > width) {
            throw new IllegalArgumentException(
                    "%s is [%d, %d], but %s is %d; allowed: slices of 0 to %d"
                            .formatted(
                                    field,
                                    slice.from(),
                                    slice.to(),
                                    width == sizes.input() ? "input_size" : "expert_input_size",
                                    width,
                                    width));
        }
    }

    /** Returns the width of the gate's sum. */
    private int checkGate(int gate) {
        GateSpec spec = gates.get(gate);
        String field = "gates[%d]".formatted(gate);
        if (gates.size() > 1 && spec.routing() != null && spec.routing().noise() != null) {
            throw new IllegalArgumentException(
                    "%s.routing.noise is set, but the layer has %d gates; noise is allowed with one gate"
                            .formatted(field, gates.size()));
        }
        checkSlice(field + ".input", spec.input(), sizes.input());
        if (spec.rule() != null) {
            return checkRule(field, spec.rule());
        }
        int n = spec.routing().numExperts();
        if (spec.experts() == null && n != experts.size()) {
            throw new IllegalArgumentException(
                    "%s.routing.num_experts is %d, but the layer has %d experts; they must be equal, or list the gate's experts in %s.experts"
                            .formatted(field, n, experts.size(), field));
        }
        int width = 0;
        for (int i = 0; i < n; i++) {
            int expert = spec.experts() == null ? i : spec.experts().get(i);
            String entry = "%s.experts[%d]".formatted(field, i);
            if (expert < 0 || expert >= experts.size()) {
                throw new IllegalArgumentException(
                        "%s is %d; allowed: 0 to %d, the experts of the layer"
                                .formatted(entry, expert, experts.size() - 1));
            }
            width = sameWidth("%s is expert %d".formatted(entry, expert), expert, width);
        }
        return width;
    }

    private int checkRule(String field, RuleSpec rule) {
        int width = 0;
        for (String name : rule.experts()) {
            int expert = ExpertSpec.number(experts, name);
            if (expert < 0) {
                throw new IllegalArgumentException(
                        "%s.rule chooses the expert %s, which is not there; allowed: %s"
                                .formatted(field, name, names()));
            }
            width = sameWidth("%s.rule chooses expert %s".formatted(field, name), expert, width);
        }
        return width;
    }

    private int sameWidth(String choice, int expert, int width) {
        int own = experts.get(expert).outputSize();
        if (width != 0 && own != width) {
            throw new IllegalArgumentException(
                    "%s, whose output_size is %d; the gate's other experts have %d, and all experts of a gate must have one width"
                            .formatted(choice, own, width));
        }
        return own;
    }

    private void checkGateNames() {
        Set<String> names = new HashSet<>();
        for (int gate = 0; gate < gates.size(); gate++) {
            String name = GateSpec.name(gates, gate);
            if (!names.add(name)) {
                throw new IllegalArgumentException(
                        "gates[%d].name is %s, which another gate has; names must differ"
                                .formatted(gate, name));
            }
        }
    }

    private List<String> names() {
        return IntStream.range(0, experts.size())
                .mapToObj(i -> ExpertSpec.name(experts, i))
                .toList();
    }
}
