// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.reference.BiasUpdate;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.routing.health.ExpertLoad;
import io.flinkmoe.routing.health.Importance;
import io.flinkmoe.routing.health.LoadBalancingLoss;
import io.flinkmoe.routing.health.MutualInformationLoss;
import io.flinkmoe.routing.health.RouterZLoss;
import java.util.Arrays;

/** The losses and loads of the golden cases. */
final class GoldenLosses {

    private static final double TOLERANCE = 1e-5;

    private final GoldenCase golden;
    private final float[] logits;
    private final int n;

    private GoldenLosses(GoldenCase golden, float[] logits) {
        this.golden = golden;
        this.logits = logits;
        this.n = golden.integer("num_experts");
    }

    /** The auxiliary losses that a layer's case comes with. */
    static void checkAuxiliary(GoldenCase golden, float[] logits, float[] weights) {
        new GoldenLosses(golden, logits).checkAuxiliary(weights);
    }

    private void checkAuxiliary(float[] weights) {
        if (golden.hasTensor("aux.load_balancing_loss")) {
            check("aux.load_balancing_loss", loadBalancing());
        }
        if (golden.hasTensor("aux.router_z_loss")) {
            check("aux.router_z_loss", RouterZLoss.of(logits, n));
        }
        if (golden.hasTensor("aux.importance_loss")) {
            check("aux.importance_loss", Importance.vmoeLoss(logits, n));
        }
        if (golden.hasTensor("aux.mi_loss")) {
            check("aux.mi_loss", MutualInformationLoss.of(logits, n));
        }
        if (golden.hasTensor("aux.importance")) {
            int[] ids = golden.ints("topk_ids");
            double[] importance = Importance.of(ids, weights, n);
            double[] load =
                    ExpertLoad.noisyTopK(
                            golden.floats("logits_clean"),
                            logits,
                            golden.floats("noise_stddev"),
                            ids,
                            n);
            golden.assertClose("aux.importance", floats(importance), TOLERANCE);
            golden.assertClose("aux.load", floats(load), TOLERANCE);
            check("aux.cv2_importance", Importance.cv2(importance));
            check("aux.cv2_load", Importance.cv2(load));
        }
    }

    private double loadBalancing() {
        int groups = golden.has("groups") ? golden.integer("groups") : 1;
        return switch (golden.system()) {
            case "tokens_choose" ->
                    LoadBalancingLoss.flaxformer(
                            logits, topIds(golden.integer("top_k")), n, groups);
            case "deepspeed_topk" ->
                    LoadBalancingLoss.deepspeedTopK(logits, topIds(golden.integer("top_k")), n);
            case "next_expert" ->
                    LoadBalancingLoss.noTokenLeftBehind(
                            logits, topIds(golden.integer("max_attempts")), n, groups);
            default -> LoadBalancingLoss.switchGrouped(logits, topIds(1), n, groups);
        };
    }

    /** The most probable experts of each token, whatever was dropped. */
    private int[] topIds(int k) {
        int tokens = logits.length / n;
        int[] ids = new int[tokens * k];
        new TopKRouter(RoutingConfig.softmax(n, k))
                .route(logits, tokens, ids, new float[ids.length]);
        return ids;
    }

    /** A case that is of losses alone. */
    static void checkLosses(GoldenCase golden) {
        new GoldenLosses(golden, golden.floats("logits")).checkLosses();
    }

    private void checkLosses() {
        int k = golden.integer("top_k");
        int sequences = golden.integer("batch");
        int[] ids = topIds(k);
        golden.assertIds("topk_ids", ids);
        double[] importance = Importance.of(golden.floats("gates"), n);
        check("loss.switch_grouped", LoadBalancingLoss.switchGrouped(logits, ids, n, sequences));
        check("loss.gshard", LoadBalancingLoss.gshard(logits, ids, n));
        check("loss.mixtral", LoadBalancingLoss.mixtral(logits, ids, n));
        check(
                "loss.mixtral_masked",
                LoadBalancingLoss.mixtralMasked(logits, ids, n, golden.ints("attention_mask")));
        check("loss.megatron_switch", LoadBalancingLoss.megatronSwitch(logits, ids, n));
        check("loss.router_z", RouterZLoss.of(logits, n));
        check("loss.megatron_z", RouterZLoss.of(logits, n));
        check(
                "loss.deepseek_sequence",
                LoadBalancingLoss.deepseekSequence(logits, ids, n, sequences));
        check("loss.deepseek_batch", LoadBalancingLoss.deepseekBatch(logits, ids, n));
        check("loss.vmoe_importance", Importance.vmoeLoss(logits, n));
        check(
                "loss.vmoe_load",
                ExpertLoad.vmoeLoss(
                        logits,
                        golden.floats("noisy_logits"),
                        golden.number("vmoe_noise_std"),
                        k,
                        n));
        check("loss.cv2_importance", Importance.cv2(importance));
        check("loss.cv2_importance_unbiased", Importance.cv2Unbiased(importance));
        check("loss.jetmoe", LoadBalancingLoss.jetmoe(logits, ids, n));
    }

    /** A case of the bias update rule, step after step. */
    static void checkBiasUpdate(GoldenCase golden) {
        int n = golden.integer("num_experts");
        int steps = golden.integer("steps");
        float rate = (float) golden.number("update_rate");
        float[] expected = golden.floats("bias");
        float[] found = Arrays.copyOf(expected, expected.length);
        for (int step = 0; step < steps; step++) {
            long[] load = new long[n];
            for (int expert = 0; expert < n; expert++) {
                load[expert] = loadOf(golden, step * n + expert);
            }
            float[] bias = Arrays.copyOfRange(found, step * n, (step + 1) * n);
            System.arraycopy(BiasUpdate.step(bias, load, rate), 0, found, (step + 1) * n, n);
        }
        golden.assertClose("bias", found, 1e-9);
    }

    private static long loadOf(GoldenCase golden, int at) {
        return golden.isFloat("load") ? (long) golden.floats("load")[at] : golden.ints("load")[at];
    }

    private void check(String tensor, double found) {
        golden.assertClose(tensor, new float[] {(float) found}, TOLERANCE);
    }

    private static float[] floats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }
}
