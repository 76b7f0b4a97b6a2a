// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.reference.AttentionExperts;
import io.flinkmoe.reference.AttentionForm;
import io.flinkmoe.reference.AttentionWeights;
import io.flinkmoe.reference.Gate;
import io.flinkmoe.reference.Linear;
import io.flinkmoe.reference.RotarySoftmax;
import io.flinkmoe.reference.StickBreaking;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.RoutingPresets;
import io.flinkmoe.routing.Scores;
import java.util.List;

/** Attention experts out of a golden case, and the comparison with it. */
public final class GoldenAttention {

    private GoldenAttention() {}

    static void check(GoldenCase golden) {
        boolean jetMoe = golden.system().equals("jetmoe_attention");
        RoutingConfig routing =
                RoutingPresets.of(jetMoe ? "jetmoe" : "moduleformer")
                        .of(golden.integer("num_experts"), golden.integer("top_k"));
        AttentionForm form =
                jetMoe ? new RotarySoftmax(golden.number("rope_theta")) : new StickBreaking();

        AttentionExperts.Result result =
                new AttentionExperts(weights(golden), routing, form)
                        .forward(golden.floats("x"), golden.integer("tokens"));

        golden.assertClose("logits", result.logits(), 1e-5);
        golden.assertIds("topk_ids", result.experts(), result.weights());
        golden.assertWeights(result.weights());
        int[] counts = new int[routing.numExperts()];
        for (int expert : result.experts()) {
            counts[expert]++;
        }
        golden.assertTokensPerExpert(counts);
        golden.assertClose("q", result.q(), 1e-5);
        golden.assertClose("attn_weights", result.attnWeights(), 1e-5);
        golden.assertOut(result.out());
        if (golden.hasTensor("scores")) {
            golden.assertClose(
                    "scores",
                    Scores.of(routing.scoringFunc(), result.logits(), routing.numExperts()),
                    2e-6);
        }
    }

    /** The weights of an attention case. */
    public static AttentionWeights weights(GoldenCase golden) {
        int d = golden.integer("d_model");
        int experts = golden.integer("num_experts");
        int width = golden.integer("num_heads") * golden.integer("head_dim");
        Linear keys;
        Linear values;
        if (golden.hasTensor("kv.weight")) {
            List<Linear> fused = Linear.stacked(2, width, d, golden.floats("kv.weight"));
            keys = fused.get(0);
            values = fused.get(1);
        } else {
            keys = new Linear(width, d, golden.floats("k.weight"), golden.floats("k.bias"));
            values = new Linear(width, d, golden.floats("v.weight"), golden.floats("v.bias"));
        }
        return new AttentionWeights(
                gate(golden),
                golden.integer("num_heads"),
                Linear.stacked(experts, width, d, golden.floats("experts.wq")),
                keys,
                values,
                Linear.stacked(experts, d, width, golden.floats("experts.wo")),
                golden.hasTensor("out_bias") ? golden.floats("out_bias") : null);
    }

    /** The router of a case, in plain Java. */
    public static Gate gate(GoldenCase golden) {
        if (golden.hasTensor("router.weight")) {
            return new Gate.OneLayer(linear(golden, "router.weight", null));
        }
        if (golden.hasTensor("router.w1")) {
            return new Gate.TwoLayer(
                    linear(golden, "router.w1", golden.floats("router.b1")),
                    linear(golden, "router.w2", null));
        }
        return new Gate.Cosine(
                linear(golden, "router.proj", null),
                linear(golden, "router.centroids", null),
                golden.floats("router.log_temperature")[0]);
    }

    private static Linear linear(GoldenCase golden, String tensor, float[] bias) {
        int[] shape = golden.shape(tensor);
        return new Linear(shape[0], shape[1], golden.floats(tensor), bias);
    }
}
