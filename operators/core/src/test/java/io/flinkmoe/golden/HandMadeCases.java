// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Cases of systems that no golden case shows, with every value computed by hand from the published
 * rule. The logits are the token itself, so that its probabilities are fractions; expert e answers
 * a constant.
 */
public final class HandMadeCases {

    private static final float LN3 = (float) Math.log(3);
    private static final float LN6 = (float) Math.log(6);
    private static final float LN9 = (float) Math.log(9);
    private static final float LN12 = (float) Math.log(12);

    private HandMadeCases() {}

    /** Writes all cases into a folder and reads them. */
    public static List<GoldenCase> in(Path folder) throws IOException {
        vmoe(folder.resolve("vmoe-no-multiple"), false);
        vmoe(folder.resolve("vmoe-no-multiple-prioritized"), true);
        residual(folder.resolve("deepspeed_residual-two-choices"));
        return GoldenCases.in(folder);
    }

    /**
     * C = ceil(5·1·1/2) = 3. Of the four tokens that choose expert 0, the last one by position is
     * dropped; by priority it comes first, with p = 9/10, and the one before it is dropped. With a
     * multiple of 4 no token would be dropped.
     */
    private static void vmoe(Path directory, boolean prioritized) throws IOException {
        float[] x = {LN3, 0, LN3, 0, 0, LN3, LN3, 0, LN9, 0};
        float[] scores = {0.75f, 0.25f, 0.75f, 0.25f, 0.25f, 0.75f, 0.75f, 0.25f, 0.9f, 0.1f};
        float[] weights = {0.75f, 0.75f, 0.75f, 0.75f, 0.9f};
        weights[prioritized ? 3 : 4] = 0;
        float[] out = new float[5 * 2];
        for (int token = 0; token < 5; token++) {
            out[token * 2 + (token == 2 ? 1 : 0)] = weights[token] * (token == 2 ? 2 : 1);
        }
        write(
                directory,
                """
                {"system": "vmoe", "config": {"d_model": 2, "d_ff": 1, "num_experts": 2, "top_k": 1,
                  "tokens": 5, "capacity": 3, "capacity_factor": 1.0,
                  "capacity_rule": "ceil(S*k*cf/E) rounded up to a multiple of none",
                  "batch_prioritized": %s, "score": "softmax",
                  "weight": "raw probabilities, never normalised", "activation": "gelu_tanh",
                  "expert": "mlp with biases"}}
                """
                        .formatted(prioritized),
                experts(2, 2, new float[] {1, 0, 0, 2})
                        .add("x", new long[] {5, 2}, x)
                        .add("logits", new long[] {5, 2}, x)
                        .add("scores", new long[] {5, 2}, scores)
                        .add("topk_ids", new long[] {5, 1}, new int[] {0, 0, 1, 0, 0})
                        .add("topk_weights", new long[] {5, 1}, weights)
                        .add(
                                "topk_slot",
                                new long[] {5, 1},
                                prioritized
                                        ? new int[] {1, 2, 0, -1, 0}
                                        : new int[] {0, 1, 0, 2, -1})
                        .add(
                                "topk_dropped",
                                new long[] {5, 1},
                                prioritized ? new int[] {0, 0, 0, 1, 0} : new int[] {0, 0, 0, 0, 1})
                        .add("tokens_per_expert", new long[] {2}, new int[] {3, 1})
                        .add("out", new long[] {5, 2}, out));
    }

    /**
     * DeepSpeed's top-2 gate with its residual mix: out = c0·moe(x) + c1·mlp(x), c = softmax(Wx).
     * Each token's choices have p = 12/20 and 6/20. C = ceil((4/4)·2·1) = 2: token 2 loses its
     * first choice, so that its second one has all the weight, and c0 multiplies that. W reads -x3,
     * which is 0 for tokens 0 and 1 (c = 1/2, 1/2) and ln 6 for the others (c = 1/7, 6/7). The MLP
     * answers (7, 0, 0, 0), expert e the unit vector e.
     */
    private static void residual(Path directory) throws IOException {
        float[] x = {
            LN12, LN6, 0, 0, //
            LN12, LN6, 0, 0, //
            LN12, 0, 0, LN6, //
            0, 0, LN12, LN6
        };
        float[] scores = {
            0.6f, 0.3f, 0.05f, 0.05f, //
            0.6f, 0.3f, 0.05f, 0.05f, //
            0.6f, 0.05f, 0.05f, 0.3f, //
            0.05f, 0.05f, 0.6f, 0.3f
        };
        float[] out = {
            1 / 3f + 3.5f,
            1 / 6f,
            0,
            0, //
            1 / 3f + 3.5f,
            1 / 6f,
            0,
            0, //
            6,
            0,
            0,
            1 / 7f, //
            6,
            0,
            2 / 21f,
            1 / 21f
        };
        long[] choices = {4, 2};
        long[] square = {4, 4};
        float[] coefficients = new float[2 * 4];
        coefficients[3] = -1;
        float[] unit = new float[4 * 4];
        for (int expert = 0; expert < 4; expert++) {
            unit[expert * 4 + expert] = 1;
        }
        write(
                directory,
                """
                {"system": "deepspeed_residual", "config": {"d_model": 4, "d_ff": 1,
                  "num_experts": 4, "top_k": 2, "tokens": 4, "capacity": 2, "capacity_factor": 1.0,
                  "min_capacity": 1,
                  "capacity_rule": "ceil(float32(T/E)*(2*cf)), at least min_capacity",
                  "drop_tokens": true, "use_rts": false, "residual": true,
                  "drop_order": "all first choices in position order, then all second choices",
                  "score": "softmax",
                  "weight": "g1,g2 divided by clamp(g1+g2 over SURVIVING choices)",
                  "activation": "gelu_erf", "expert": "mlp with biases"}}
                """,
                experts(4, 4, unit)
                        .add("residual.coef_weight", new long[] {2, 4}, coefficients)
                        .add("residual.coef_bias", new long[] {2}, new float[2])
                        .add("residual.wi", new long[] {1, 4}, new float[4])
                        .add("residual.bi", new long[] {1}, new float[1])
                        .add("residual.wo", new long[] {4, 1}, new float[4])
                        .add("residual.bo", new long[] {4}, new float[] {7, 0, 0, 0})
                        .add("x", square, x)
                        .add("logits", square, x)
                        .add("scores", square, scores)
                        .add("topk_ids", choices, new int[] {0, 1, 0, 1, 0, 3, 2, 3})
                        .add(
                                "topk_weights",
                                choices,
                                new float[] {2 / 3f, 1 / 3f, 2 / 3f, 1 / 3f, 0, 1, 2 / 3f, 1 / 3f})
                        .add("topk_slot", choices, new int[] {0, 0, 1, 1, -1, 0, 0, 1})
                        .add("topk_dropped", choices, new int[] {0, 0, 0, 0, 1, 0, 0, 0})
                        .add("tokens_per_expert", new long[] {4}, new int[] {2, 2, 1, 2})
                        .add("requested_per_expert", new long[] {4}, new int[] {3, 2, 1, 2})
                        .add("out", square, out));
    }

    /**
     * An identity router, and experts that answer their bias whatever comes.
     *
     * @param answers [n, d]
     */
    private static SafetensorsWriter experts(int n, int d, float[] answers) {
        float[] identity = new float[n * d];
        for (int expert = 0; expert < n; expert++) {
            identity[expert * d + expert] = 1;
        }
        return new SafetensorsWriter()
                .add("router.weight", new long[] {n, d}, identity)
                .add("experts.wi", new long[] {n, 1, d}, new float[n * d])
                .add("experts.bi", new long[] {n, 1}, new float[n])
                .add("experts.wo", new long[] {n, d, 1}, new float[n * d])
                .add("experts.bo", new long[] {n, d}, Arrays.copyOf(answers, n * d));
    }

    private static void write(Path directory, String json, SafetensorsWriter tensors)
            throws IOException {
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("case.json"), json);
        tensors.writeTo(directory.resolve("tensors.safetensors"));
    }
}
