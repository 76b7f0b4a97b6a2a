// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.ScoringFunc;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * The declaration of a family in families.json: where its checkpoints keep the parts of an MoE
 * layer, and which options of a layer follow from config.json. Names of tensors are relative to the
 * layer; a weight is named without {@code .weight}, and alternatives are separated by {@code |}.
 *
 * @param modelTypes the values of {@code model_type}
 * @param models the published models, for people
 * @param note what is particular, for people; null for nothing
 * @param refused why the family cannot be imported; null if it can
 * @param stacks the lists of layers, with %d for the number of a layer, and the key of their number
 *     in config.json
 * @param router the router's weight [N, d]
 * @param routerBias whether the router has a bias [N]
 * @param routerNorm the weight [d] of a norm, divided by √d, that the router applies to the layer's
 *     input; null if the router reads what the experts read
 * @param softcap caps the logits; 0 for none
 * @param score how logits become scores
 * @param sparsemixerEps for the score sparsemixer
 * @param selectOn what the correction bias is added to; null for the scores
 * @param correctionBias the bias [N] that is added for the selection only; null for none
 * @param groups the limit to groups; null for none
 * @param normalise whether the weights are divided by their sum
 * @param normOrder the order of the norm that they are divided by; config.json may have null or 0
 *     for no division; null for 1
 * @param normEpsilon is added to the sum
 * @param normFloor the least that they are divided by
 * @param scale multiplies the weights
 * @param perExpertScale multiplies the weights by expert [N]; null for none
 * @param k the experts per token
 * @param weightOnInput whether the weights multiply the experts' input
 * @param norm the norm's weight [d]; null for none
 * @param firstNorm the weight [d] of a norm that comes before that norm; null for none
 * @param firstNormScale multiplies what it answers, by the layer's entry in {@code layer_types}, or
 *     as published in {@code attn_type_list}
 * @param normForm the form of all norms
 * @param normGate the two linear layers of a gated norm; null for none
 * @param eps the ε of all norms
 * @param postNorm the norm of the sum; null for none
 * @param routedNorm the norm of the routed sum, before others are added; null for none
 * @param experts the experts: their number is appended, or replaces {@code {e}}
 * @param network the form of the experts and shared experts
 * @param outputDropout 1 - this multiplies the experts' output; null for 0
 * @param latent the projections to and from the width that the experts work in; null for none
 * @param identityExperts how many experts after the others are the identity; null for none
 * @param shared the shared expert; null for none
 * @param sharedGate the gate [1, d] of the shared expert; null for none
 * @param sharedCount the key of the number of shared experts; null if there always is one
 * @param constant a vector [d] that is added once; null for none
 * @param constantIf whether it is there
 * @param branches dense networks beside the experts that read the layer's input
 * @param residual what the sum is added to
 * @param residualScale multiplies the residual; null for 1
 * @param outputScale multiplies what is added to the residual; null for 1
 * @param layerScale a tensor [1] that multiplies the layer's output; null for none
 * @param requires the only values that keys of config.json may have
 * @param ignored beginnings of tensors of a layer that have no effect on it
 */
@Internal
record Family(
        List<String> modelTypes,
        String models,
        String note,
        String refused,
        Map<String, Setting> stacks,
        Names router,
        Setting routerBias,
        Names routerNorm,
        Setting softcap,
        ScoringFunc score,
        Setting sparsemixerEps,
        RoutingConfig.SelectOn selectOn,
        Names correctionBias,
        Groups groups,
        Setting normalise,
        Setting normOrder,
        Setting normEpsilon,
        Setting normFloor,
        Setting scale,
        Names perExpertScale,
        Setting k,
        Setting weightOnInput,
        Names norm,
        Names firstNorm,
        Map<String, Setting> firstNormScale,
        NormForm normForm,
        List<Names> normGate,
        Setting eps,
        Names postNorm,
        Names routedNorm,
        Names experts,
        Network network,
        Setting outputDropout,
        Latent latent,
        Setting identityExperts,
        Names shared,
        Names sharedGate,
        Setting sharedCount,
        Names constant,
        Setting constantIf,
        List<Branch> branches,
        ResidualKind residual,
        Setting residualScale,
        Setting outputScale,
        Names layerScale,
        Map<String, List<JsonNode>> requires,
        List<String> ignored) {

    /** The forms of norms. */
    enum NormForm {
        /** x / rms(x) · g. */
        RMS,
        /** x / rms(x) · (1 + g). */
        RMS_PLUS_ONE,
        /** LayerNorm, with a bias if the checkpoint has one. */
        LAYER
    }

    /** A limit to groups of experts. */
    record Groups(
            GroupLimit.GroupScore score,
            GroupLimit.GroupMask mask,
            Setting nGroup,
            Setting topkGroup) {}

    /** The forms of networks. */
    enum NetworkForm {
        /** down(act(gate x) · up x). */
        GATED,
        /** down(act(up x)). */
        PLAIN,
        /** Gated, with alpha and limit. */
        CLAMPED
    }

    /**
     * The form of experts.
     *
     * @param biased whether the linear layers have biases
     * @param alpha of the clamped form
     * @param limit of the clamped form
     * @param matrices the names of the three matrices; null for those that other families have
     * @param interleaved whether gate and up alternate in a fused tensor
     * @param downTransposed whether the stacked matrices of {@code w2} are transposed
     */
    record Network(
            NetworkForm form,
            Setting activation,
            Setting biased,
            Setting alpha,
            Setting limit,
            List<String> matrices,
            boolean interleaved,
            boolean downTransposed) {}

    /** Linear layers to the width of the experts, and back; each with a bias if there is one. */
    record Latent(Names down, Names up) {}

    /**
     * post_norm(network(norm(v))), and then, with x = v + that, network'(norm'(x)) of {@code tail}
     * more.
     *
     * @param postNorm null for none
     * @param tail null for none
     */
    record Branch(Names norm, Names network, Names postNorm, Branch tail) {}
}
