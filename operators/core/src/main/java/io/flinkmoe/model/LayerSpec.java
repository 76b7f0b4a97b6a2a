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
 *   e = expert_input(u)
 *   r = concat over gates of Σ weight · expert(e)            or Σ expert(weight · e)
 *   m = routed_output(r) + Σ shared(u) + Σ branch(v)
 *   y = residual_scale · residual + output_scale · post_norm(m)
 * </pre>
 *
 * Each expert runs once for a token, however many gates choose it. What is not set is left out.
 *
 * @param inputSize the width of v
 * @param outputSize the width of y
 * @param norm the model [batch, inputSize] → [batch, inputSize] that is applied to the input of
 *     routers and experts; null for none
 * @param postNorm the model [batch, outputSize] → [batch, outputSize] that is applied before the
 *     residual is added; null for none
 * @param residual what is added: v, u, or nothing
 * @param experts the N experts
 * @param sharedExperts the models [batch, inputSize] → [batch, outputSize] that every token visits;
 *     may be empty
 * @param gates the gates, at least one, in the order in which their sums are concatenated
 * @param expertScale the model [batch, inputSize] → [batch, 1] whose output multiplies all weights
 *     of a token (DeepSpeed's residual MoE mixes the experts with a dense MLP this way); null for
 *     none
 * @param options what only some models need; null for none
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
        ModelFile expertScale,
        LayerOptions options)
        implements GateSpec.Choices {

    public LayerSpec {
        Check.width("input_size", inputSize);
        Check.width("output_size", outputSize);
        if (residual == null) {
            throw new IllegalArgumentException("residual is missing; allowed: input, none, hidden");
        }
        experts = Check.list("experts", experts);
        gates = Check.list("gates", gates);
        sharedExperts =
                sharedExperts == null || sharedExperts.isEmpty()
                        ? List.of()
                        : Check.list("shared_experts", sharedExperts);
        options = options == null ? LayerOptions.NONE : options;
        LayerCheck.Sizes sizes = LayerCheck.Sizes.of(inputSize, outputSize, options);
        new LayerCheck(sizes, residual, experts, gates, options).check();
    }

    /** A layer without options. */
    public LayerSpec(
            int inputSize,
            int outputSize,
            ModelFile norm,
            ModelFile postNorm,
            ResidualKind residual,
            List<ExpertSpec> experts,
            List<ModelFile> sharedExperts,
            List<GateSpec> gates,
            ModelFile expertScale) {
        this(
                inputSize,
                outputSize,
                norm,
                postNorm,
                residual,
                experts,
                sharedExperts,
                gates,
                expertScale,
                null);
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
        ModelFile other = ModelFile.of("norm", file);
        return with(other, residual, sharedExperts, gates, expertScale, options);
    }

    /** The same with shared experts. */
    public LayerSpec withSharedExperts(List<String> files) {
        List<ModelFile> others = ModelFile.listOf("shared_experts", files);
        return with(norm, residual, others, gates, expertScale, options);
    }

    /** The same with another residual. */
    public LayerSpec withResidual(ResidualKind other) {
        return with(norm, other, sharedExperts, gates, expertScale, options);
    }

    /** The same with other gates. */
    public LayerSpec withGates(List<GateSpec> others) {
        return with(norm, residual, sharedExperts, others, expertScale, options);
    }

    /** The same with a scale of the experts. */
    public LayerSpec withExpertScale(String file) {
        ModelFile other = ModelFile.of("expert_scale", file);
        return with(norm, residual, sharedExperts, gates, other, options);
    }

    /** The same with options. */
    public LayerSpec withOptions(LayerOptions others) {
        return with(norm, residual, sharedExperts, gates, expertScale, others);
    }

    private LayerSpec with(
            ModelFile otherNorm,
            ResidualKind otherResidual,
            List<ModelFile> otherShared,
            List<GateSpec> otherGates,
            ModelFile otherScale,
            LayerOptions otherOptions) {
        return new LayerSpec(
                inputSize,
                outputSize,
                otherNorm,
                postNorm,
                otherResidual,
                experts,
                otherShared,
                otherGates,
                otherScale,
                otherOptions);
    }

    /** The width of what the experts read. */
    public int expertRowSize() {
        return LayerCheck.Sizes.of(inputSize, outputSize, options).expertRow();
    }

    /** The width of the routed sum, r. */
    public int routedSize() {
        return IntStream.range(0, gates.size()).map(this::gateWidth).sum();
    }

    /** Whether every token visits a shared expert or a branch. */
    public boolean hasShared() {
        return !sharedExperts.isEmpty() || !options.branchFiles().isEmpty();
    }

    /** Whether something is applied to the sum before the residual is added. */
    public boolean hasStepsAfterTheSum() {
        return postNorm != null || options.routedOutput() != null;
    }

    /** The sum of the widths of inputs and outputs of experts, each pair once. */
    public long widthsOfCalls() {
        return IntStream.range(0, numExperts())
                .mapToObj(expert -> List.of(expertInput(expert), experts.get(expert).outputSize()))
                .distinct()
                .mapToLong(widths -> widths.get(0) + widths.get(1))
                .sum();
    }

    /** The width of a gate's sum, which is that of its experts' outputs. */
    public int gateWidth(int gate) {
        return gates.get(gate).outputSize(experts);
    }

    /** The width of what an expert reads. */
    public int expertInput(int expert) {
        Slice input = experts.get(expert).input();
        return input == null ? expertRowSize() : input.width();
    }

    /** The width of what a router reads of the hidden vectors. */
    public int gateInput(int gate) {
        Slice input = gates.get(gate).input();
        return input == null ? inputSize : input.width();
    }

    /**
     * The width of what a token carries past the experts: the residual and the sum of the shared
     * experts and branches. They are kept apart if something is applied to the sum before the
     * residual is added.
     */
    public int carriedSize() {
        boolean hasResidual = residual != ResidualKind.NONE;
        if (!hasStepsAfterTheSum()) {
            return hasResidual || hasShared() ? outputSize : 0;
        }
        return (hasResidual ? outputSize : 0) + (hasShared() ? outputSize : 0);
    }

    /** Whether the experts' input and what a token carries past them are the same vectors. */
    public boolean expertsTakeTheResidual() {
        boolean isInput = norm == null && residual == ResidualKind.INPUT;
        return (isInput || residual == ResidualKind.HIDDEN)
                && options.expertInput() == null
                && options.residualFactor() == 1
                && !hasShared();
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
        files.add(options.expertInput());
        experts.forEach(expert -> files.add(expert.file()));
        files.add(options.routedOutput());
        files.addAll(sharedExperts);
        files.addAll(options.branchFiles());
        files.add(postNorm);
        return files.stream().filter(Objects::nonNull);
    }
}
