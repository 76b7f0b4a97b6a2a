// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What only some models need of a layer; see {@link LayerSpec} for the whole formula. Each may be
 * null, and changes nothing then.
 *
 * @param expertInput the model [batch, input_size] → [batch, expert_input_size] of what the experts
 *     read: a projection into the width that they work in (Nemotron 3 Super); null for u
 * @param expertInputSize the width of what the experts read; null without expert_input
 * @param routedOutput the model [batch, width of r] → [batch, output_size] that is applied to the
 *     routed sum, before anything is added to it: a projection back, or a norm (Gemma 4)
 * @param branches the models [batch, input_size] → [batch, output_size] that every token visits and
 *     that read v, before the norm: dense layers beside the experts
 * @param residualScale multiplies the residual
 * @param outputScale multiplies what is added to the residual (Granite's residual_multiplier)
 * @param applyRouterWeightOnInput whether the weight of an expert multiplies what it reads instead
 *     of what it answers (Llama 4)
 */
@PublicEvolving
public record LayerOptions(
        ModelFile expertInput,
        Integer expertInputSize,
        ModelFile routedOutput,
        List<ModelFile> branches,
        Float residualScale,
        Float outputScale,
        Boolean applyRouterWeightOnInput) {

    /** No options. */
    public static final LayerOptions NONE =
            new LayerOptions(null, null, null, null, null, null, null);

    public LayerOptions {
        if ((expertInput == null) != (expertInputSize == null)) {
            throw new IllegalArgumentException(
                    "expert_input is %s, but expert_input_size is %s; set both or none"
                            .formatted(
                                    expertInput == null ? "missing" : "'" + expertInput + "'",
                                    expertInputSize == null ? "missing" : expertInputSize));
        }
        if (expertInputSize != null) {
            Check.width("expert_input_size", expertInputSize);
        }
        branches = branches == null ? null : Check.list("branches", branches);
        checkScale("residual_scale", residualScale);
        checkScale("output_scale", outputScale);
    }

    private static void checkScale(String field, Float scale) {
        if (scale != null && !Float.isFinite(scale)) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: finite values".formatted(field, scale));
        }
    }

    /** The branches; empty if there are none. */
    public List<ModelFile> branchFiles() {
        return branches == null ? List.of() : branches;
    }

    /** What multiplies the residual. */
    public float residualFactor() {
        return residualScale == null ? 1 : residualScale;
    }

    /** What multiplies what is added to the residual. */
    public float outputFactor() {
        return outputScale == null ? 1 : outputScale;
    }

    /** Whether weights multiply what experts read. */
    public boolean weighsInput() {
        return Boolean.TRUE.equals(applyRouterWeightOnInput);
    }

    /** The same with other scales; null for 1. */
    public LayerOptions scaledBy(Float ofResidual, Float ofOutput) {
        return new LayerOptions(
                expertInput,
                expertInputSize,
                routedOutput,
                branches,
                ofResidual,
                ofOutput,
                applyRouterWeightOnInput);
    }

    /** The same with weights that multiply the experts' input, or their output. */
    public LayerOptions weighingInput(boolean input) {
        return new LayerOptions(
                expertInput,
                expertInputSize,
                routedOutput,
                branches,
                residualScale,
                outputScale,
                input ? true : null);
    }
}
