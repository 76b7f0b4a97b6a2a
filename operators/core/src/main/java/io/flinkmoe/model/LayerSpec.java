// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.flink.annotation.PublicEvolving;

/**
 * One MoE layer of a bundle. Files are given by their paths relative to the bundle. A model is an
 * ONNX file.
 *
 * @param routing how the layer selects experts and weighs them
 * @param norm the model [batch, d] → [batch, d] that is applied to the input of router and experts;
 *     null for none
 * @param router the model [batch, d] → [batch, N] that computes the logits
 * @param routerInput what the router reads: the hidden vectors, or, in the first layer only, the
 *     token's own values (a hash router reads a token id that is one of them); null means hidden
 * @param routerNoise the model [batch, d] → [batch, N] that computes the standard deviation of
 *     noise of kind NORMAL; null for other kinds
 * @param expertScale the model [batch, d] → [batch, 1] whose output multiplies all weights of a
 *     token (DeepSpeed's residual MoE mixes the experts with a dense MLP this way); null for none
 * @param residual what the outputs of the experts are added to
 * @param experts the N models [batch, d] → [batch, d], in the order of the logits
 * @param sharedExperts the models [batch, d] → [batch, d] that every token visits; may be empty
 */
@PublicEvolving
public record LayerSpec(
        RoutingConfig routing,
        String norm,
        String router,
        RouterInput routerInput,
        String routerNoise,
        String expertScale,
        ResidualKind residual,
        List<String> experts,
        List<String> sharedExperts) {

    /** What a router reads. */
    public enum RouterInput {
        HIDDEN,
        TOKEN
    }

    /** A layer whose router reads the hidden vectors, without noise and expert scale. */
    public LayerSpec(
            RoutingConfig routing,
            String norm,
            String router,
            ResidualKind residual,
            List<String> experts,
            List<String> sharedExperts) {
        this(routing, norm, router, null, null, null, residual, experts, sharedExperts);
    }

    /** Whether the experts' input and what their outputs are added to are the same vectors. */
    public boolean expertsTakeTheResidual() {
        return norm == null && sharedExperts.isEmpty() && residual == ResidualKind.INPUT;
    }

    public LayerSpec {
        Check.present("routing", routing);
        Check.present("residual", residual);
        if (norm != null) {
            Check.path("norm", norm);
        }
        Check.path("router", router);
        if (routerNoise != null) {
            Check.path("router_noise", routerNoise);
        }
        if (expertScale != null) {
            Check.path("expert_scale", expertScale);
        }
        boolean normalNoise =
                routing.noise() != null && routing.noise().kind() == RouterNoise.Kind.NORMAL;
        if (normalNoise != (routerNoise != null)) {
            throw new IllegalArgumentException(
                    "router_noise is %s, but noise is %s; noise of kind normal requires router_noise, and other noise does not allow it"
                            .formatted(
                                    routerNoise == null ? "missing" : "'" + routerNoise + "'",
                                    routing.noise() == null ? "none" : routing.noise().kind()));
        }
        experts = copy(Check.present("experts", experts));
        sharedExperts = sharedExperts == null ? List.of() : copy(sharedExperts);
        Check.paths("experts", experts);
        Check.paths("shared_experts", sharedExperts);
        if (experts.size() != routing.numExperts()) {
            throw new IllegalArgumentException(
                    "experts lists %d files, but num_experts is %d; list one file per expert"
                            .formatted(experts.size(), routing.numExperts()));
        }
    }

    /** All files of the layer. */
    Stream<String> files() {
        Stream<String> single =
                Stream.of(norm, router, routerNoise, expertScale).filter(Objects::nonNull);
        return Stream.concat(single, Stream.concat(experts.stream(), sharedExperts.stream()));
    }

    /**
     * A copy that may contain nulls, unlike List.copyOf: a later check reports which one is null.
     */
    private static List<String> copy(List<String> list) {
        return Collections.unmodifiableList(new ArrayList<>(list));
    }
}
