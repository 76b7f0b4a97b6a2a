package io.flinkmoe.model;

import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * One MoE layer of a bundle. Files are paths relative to the bundle.
 *
 * @param norm the model [batch, d] → [batch, d] that router and experts see their input through, or
 *     null if they see it as it is
 * @param router the model [batch, d] → [batch, N] that gives the logits
 * @param routerInput whether the router sees the hidden vectors, or the token's own values (first
 *     layer only; a hash of a token id that is one of them); null for hidden
 * @param routerNoise the model [batch, d] → [batch, N] that gives the standard deviation of NORMAL
 *     noise, or null
 * @param expertScale the model [batch, d] → [batch, 1] that multiplies all weights of a token, or
 *     null (DeepSpeed's residual MoE mixes its experts with a dense MLP so)
 * @param residual what the expert outputs are added to
 * @param experts the N models [batch, d] → [batch, d], in the order of the router's logits
 * @param sharedExperts models [batch, d] → [batch, d] that every token visits; may be empty
 */
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

    /** What a router sees. */
    public enum RouterInput {
        HIDDEN,
        TOKEN
    }

    /** A layer whose router sees the hidden vectors, without noise or scale. */
    public LayerSpec(
            RoutingConfig routing,
            String norm,
            String router,
            ResidualKind residual,
            List<String> experts,
            List<String> sharedExperts) {
        this(routing, norm, router, null, null, null, residual, experts, sharedExperts);
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
                    "router_noise is %s, but noise is %s; a model of the deviations goes with noise of kind normal, and only with it"
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
                    "experts names %d files, but num_experts is %d; name one file for each expert"
                            .formatted(experts.size(), routing.numExperts()));
        }
    }

    /** All files of the layer. */
    Stream<String> files() {
        Stream<String> single =
                Stream.of(norm, router, routerNoise, expertScale).filter(Objects::nonNull);
        return Stream.concat(single, Stream.concat(experts.stream(), sharedExperts.stream()));
    }

    /** A copy that, unlike List.copyOf, lets nulls through to the check that names them. */
    private static List<String> copy(List<String> list) {
        return Collections.unmodifiableList(new ArrayList<>(list));
    }
}
