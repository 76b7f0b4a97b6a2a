// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.routing.RoutingConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;

/**
 * One MoE layer of a bundle. Files are given by their paths relative to the bundle. A model is an
 * ONNX file. For a token with the input v:
 *
 * <pre>
 *   u = norm(v)
 *   y = residual + post_norm(concat over gates of Σ weight · expert(u) + Σ shared(u))
 * </pre>
 *
 * Each expert runs once for a token, however many gates choose it.
 *
 * @param inputSize the width of v
 * @param outputSize the width of y
 * @param norm the model [batch, inputSize] → [batch, inputSize] that is applied to the input of
 *     routers and experts; null for none
 * @param postNorm the model [batch, outputSize] → [batch, outputSize] that is applied before the
 *     residual is added; null for none
 * @param residual what is added: v, or nothing
 * @param experts the N experts
 * @param sharedExperts the models [batch, inputSize] → [batch, outputSize] that every token visits;
 *     may be empty
 * @param gates the gates, at least one, in the order in which their sums are concatenated
 * @param expertScale the model [batch, inputSize] → [batch, 1] whose output multiplies all weights
 *     of a token (DeepSpeed's residual MoE mixes the experts with a dense MLP this way); null for
 *     none
 */
@PublicEvolving
public record LayerSpec(
        int inputSize,
        int outputSize,
        ModelFile norm,
        ModelFile postNorm,
        ResidualKind residual,
        List<ExpertSpec> experts,
        List<ModelFile> sharedExperts,
        List<GateSpec> gates,
        ModelFile expertScale) {

    public LayerSpec {
        Check.width("input_size", inputSize);
        Check.width("output_size", outputSize);
        if (residual == null) {
            throw new IllegalArgumentException("residual is missing; allowed: input, none");
        }
        experts = Check.list("experts", experts);
        gates = Check.list("gates", gates);
        sharedExperts =
                sharedExperts == null || sharedExperts.isEmpty()
                        ? List.of()
                        : Check.list("shared_experts", sharedExperts);
        new LayerCheck(inputSize, outputSize, residual, experts, gates).check();
    }

    /**
     * A layer with one gate over all experts, whose width does not change.
     *
     * @param width d, the width of the layer's vectors
     * @param router the model [batch, d] → [batch, N]
     * @param experts the models [batch, d] → [batch, d]
     */
    public static LayerSpec oneGate(
            int width, String router, RoutingConfig routing, List<String> experts) {
        return new LayerSpec(
                width,
                width,
                null,
                null,
                ResidualKind.INPUT,
                experts.stream().map(file -> ExpertSpec.of(file, width)).toList(),
                List.of(),
                List.of(GateSpec.of(router, routing)),
                null);
    }

    /** The same with a norm before routers and experts. */
    public LayerSpec withNorm(String file) {
        return new LayerSpec(
                inputSize,
                outputSize,
                ModelFile.of("norm", file),
                postNorm,
                residual,
                experts,
                sharedExperts,
                gates,
                expertScale);
    }

    /** The same with shared experts. */
    public LayerSpec withSharedExperts(List<String> files) {
        return new LayerSpec(
                inputSize,
                outputSize,
                norm,
                postNorm,
                residual,
                experts,
                ModelFile.listOf("shared_experts", files),
                gates,
                expertScale);
    }

    /** The same with another residual. */
    public LayerSpec withResidual(ResidualKind other) {
        return new LayerSpec(
                inputSize,
                outputSize,
                norm,
                postNorm,
                other,
                experts,
                sharedExperts,
                gates,
                expertScale);
    }

    /** The same with other gates. */
    public LayerSpec withGates(List<GateSpec> others) {
        return new LayerSpec(
                inputSize,
                outputSize,
                norm,
                postNorm,
                residual,
                experts,
                sharedExperts,
                others,
                expertScale);
    }

    /** The same with a scale of the experts. */
    public LayerSpec withExpertScale(String file) {
        return new LayerSpec(
                inputSize,
                outputSize,
                norm,
                postNorm,
                residual,
                experts,
                sharedExperts,
                gates,
                ModelFile.of("expert_scale", file));
    }

    /** N. */
    public int numExperts() {
        return experts.size();
    }

    /** The most experts that a token runs: min(N, Σ k over the gates). */
    public int choices() {
        return Math.min(numExperts(), ranks());
    }

    /** [G], k of each gate. */
    public List<Integer> choicesOfGates() {
        return gates.stream().map(GateSpec::k).toList();
    }

    /** Σ k over the gates. */
    public int ranks() {
        return gates.stream().mapToInt(GateSpec::k).sum();
    }

    /** The columns of the logits of all gates. */
    public int columns() {
        return gates.stream()
                .filter(gate -> gate.routing() != null)
                .mapToInt(gate -> gate.routing().numExperts())
                .sum();
    }

    /** The sum of the widths of inputs and outputs of experts, each pair once. */
    public long widthsOfCalls() {
        return IntStream.range(0, numExperts())
                .mapToObj(expert -> List.of(expertInput(expert), experts.get(expert).outputSize()))
                .distinct()
                .mapToLong(widths -> widths.get(0) + widths.get(1))
                .sum();
    }

    /** Whether there is one gate, whose choices are those of the layer. */
    public boolean hasOneGate() {
        return gates.size() == 1;
    }

    /** The input columns that rules of this layer read. */
    public List<String> ruleColumns() {
        return gates.stream().map(GateSpec::ruleColumn).filter(Objects::nonNull).toList();
    }

    /** The name of an expert, or its number. */
    public String expertName(int expert) {
        return ExpertSpec.name(experts, expert);
    }

    /** The name of a gate, or its number. */
    public String gateName(int gate) {
        return LayerCheck.gateName(gates, gate);
    }

    /** [G], the names of the gates, or their numbers. */
    public List<String> gateNames() {
        return IntStream.range(0, gates.size()).mapToObj(this::gateName).toList();
    }

    /** The experts that a gate may use, in the order of its logits' columns. */
    public int[] expertsOf(int gate) {
        GateSpec spec = gates.get(gate);
        if (spec.rule() != null) {
            return spec.rule().experts().stream().mapToInt(this::expertNumber).toArray();
        }
        return spec.experts() == null
                ? IntStream.range(0, numExperts()).toArray()
                : spec.experts().stream().mapToInt(i -> i).toArray();
    }

    /** The number of an expert by its name; -1 if there is none. */
    public int expertNumber(String name) {
        return ExpertSpec.number(experts, name);
    }

    /** The width of a gate's sum, which is that of its experts' outputs. */
    public int gateWidth(int gate) {
        return gates.get(gate).outputSize(experts);
    }

    /** The width of what an expert reads. */
    public int expertInput(int expert) {
        Slice input = experts.get(expert).input();
        return input == null ? inputSize : input.width();
    }

    /** The width of what a router reads of the hidden vectors. */
    public int gateInput(int gate) {
        Slice input = gates.get(gate).input();
        return input == null ? inputSize : input.width();
    }

    /**
     * The width of what a token carries past the experts: the residual and the sum of the shared
     * experts. Before a post_norm they are kept apart.
     */
    public int carriedSize() {
        boolean hasResidual = residual == ResidualKind.INPUT;
        boolean hasShared = !sharedExperts.isEmpty();
        if (postNorm == null) {
            return hasResidual || hasShared ? outputSize : 0;
        }
        return (hasResidual ? outputSize : 0) + (hasShared ? outputSize : 0);
    }

    /** Whether the experts' input and what a token carries past them are the same vectors. */
    public boolean expertsTakeTheResidual() {
        return norm == null && sharedExperts.isEmpty() && residual == ResidualKind.INPUT;
    }

    /**
     * Whether a token none of whose choices is executed has no output at all. What shared experts
     * alone answer is not the layer's output.
     */
    public boolean needsAnExpert() {
        return residual == ResidualKind.NONE;
    }

    /** All files of the layer. */
    Stream<ModelFile> files() {
        List<ModelFile> files = new ArrayList<>();
        files.add(norm);
        gates.forEach(gate -> gate.files().forEach(files::add));
        files.add(expertScale);
        experts.forEach(expert -> files.add(expert.file()));
        files.addAll(sharedExperts);
        files.add(postNorm);
        return files.stream().filter(Objects::nonNull);
    }
}
