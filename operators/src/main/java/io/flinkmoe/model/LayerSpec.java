package io.flinkmoe.model;

import io.flinkmoe.routing.RoutingConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/**
 * One MoE layer of a bundle. Files are paths relative to the bundle.
 *
 * @param norm the model [batch, d] → [batch, d] that router and experts see their input through, or
 *     null if they see it as it is
 * @param router the model [batch, d] → [batch, N] that gives the logits
 * @param residual what the expert outputs are added to
 * @param experts the N models [batch, d] → [batch, d], in the order of the router's logits
 * @param sharedExperts models [batch, d] → [batch, d] that every token visits; may be empty
 */
public record LayerSpec(
        RoutingConfig routing,
        String norm,
        String router,
        ResidualKind residual,
        List<String> experts,
        List<String> sharedExperts) {

    public LayerSpec {
        Check.present("routing", routing);
        Check.present("residual", residual);
        if (norm != null) {
            Check.path("norm", norm);
        }
        Check.path("router", router);
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
        Stream<String> first = norm == null ? Stream.of(router) : Stream.of(norm, router);
        return Stream.concat(first, Stream.concat(experts.stream(), sharedExperts.stream()));
    }

    /** A copy that, unlike List.copyOf, lets nulls through to the check that names them. */
    private static List<String> copy(List<String> list) {
        return Collections.unmodifiableList(new ArrayList<>(list));
    }
}
