// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * The routers of the published systems as ONNX files, and the graphs that go with them. The weight
 * of a linear layer is [out, in], row-major; all inputs and outputs are float32. The output of a
 * router is {@code logits} [batch, N]. A row gets the same bits alone and in any batch.
 */
@Internal
public final class RouterGraphs {
    private RouterGraphs() {}

    /**
     * A linear router: x weightᵀ.
     *
     * @param weight [N, d]
     */
    public static byte[] linear(float[] weight, int n, int d) {
        return router("linear", n, d).linear("logits", "hidden", weight, null, d, n).toBytes();
    }

    /**
     * A linear router: norm(x) weightᵀ + bias.
     *
     * @param norm null for none
     * @param weight [N, d]
     * @param bias [N], or null for none
     */
    public static byte[] linear(NormGraphs.Norm norm, float[] weight, float[] bias, int n, int d) {
        OnnxGraph graph = router("linear", n, d);
        String x = "hidden";
        if (norm != null) {
            x = "normed";
            norm.addTo(graph, "norm.", x, "hidden");
        }
        return graph.linear("logits", x, weight, bias, d, n).toBytes();
    }

    /**
     * A router of two linear layers: gelu(x w1ᵀ + b1) w2ᵀ with the erf form of GELU (ModuleFormer,
     * gate_type mlp).
     *
     * @param w1 [h, d]
     * @param b1 [h]
     * @param w2 [N, h]
     */
    public static byte[] mlp(float[] w1, float[] b1, float[] w2, int n, int d, int h) {
        OnnxGraph graph = router("mlp", n, d).linear("w1", "hidden", w1, b1, d, h);
        return Activation.GELU_ERF
                .addTo(graph, "act", "w1")
                .linear("logits", "act", w2, null, h, n)
                .toBytes();
    }

    /**
     * A cosine router (ModuleFormer, gate_type gmm): the logit of expert e is exp(logTemperature) *
     * cos(x projᵀ, centroid_e). Vectors are divided by their length or by 1e-12, whichever is
     * larger.
     *
     * @param proj [h, d]
     * @param centroids [N, h]
     */
    public static byte[] cosine(
            float[] proj, float[] centroids, float logTemperature, int n, int d, int h) {
        // The centroids are constant, so they are normalized and scaled here, in double.
        float[] unit = new float[centroids.length];
        double temperature = StrictMath.exp(logTemperature);
        for (int from = 0; from < centroids.length; from += h) {
            double squares = 0;
            for (int i = from; i < from + h; i++) {
                squares += (double) centroids[i] * centroids[i];
            }
            double norm = Math.max(Math.sqrt(squares), 1e-12);
            for (int i = from; i < from + h; i++) {
                unit[i] = (float) (temperature * centroids[i] / norm);
            }
        }
        // The sum is a linear layer, because ReduceMean and its like add in an order that depends
        // on the memory address of a row.
        float[] ones = new float[h];
        Arrays.fill(ones, 1);
        return router("cosine", n, d)
                .weights("eps", new float[] {1e-12f})
                .linear("proj", "hidden", proj, null, d, h)
                .node("Mul", "square", List.of("proj", "proj"))
                .linear("squares", "square", ones, null, h, 1)
                .node("Sqrt", "length", List.of("squares"))
                .node("Max", "norm", List.of("length", "eps"))
                .node("Div", "unit", List.of("proj", "norm"))
                .linear("logits", "unit", unit, null, h, n)
                .toBytes();
    }

    /**
     * The standard deviation of the noise of noisy top-k (Shazeer 2017; tensor2tensor,
     * expert_utils.py): {@code output} [batch, N] = softplus(x noiseWeightᵀ) + 0.01.
     *
     * @param noiseWeight [N, d]
     */
    public static byte[] noiseStddev(float[] noiseWeight, int n, int d) {
        // softplus(z) = -(log softmax of (z, 0))[1]. The kernel of LogSoftmax works row by row;
        // those of Softplus and Log compute the end of an array differently. Every second row of
        // the weight is zero, so that the linear layer computes the pairs (z, 0).
        float[] withZeroRows = new float[2 * noiseWeight.length];
        for (int from = 0; from < noiseWeight.length; from += d) {
            System.arraycopy(noiseWeight, from, withZeroRows, 2 * from, d);
        }
        return new OnnxGraph("noise_stddev")
                .input("hidden", d)
                .output("output", n)
                .weights("floor", new float[] {0.01f})
                .integers("pairs", new long[] {-1, n, 2}, 3)
                .integers("second", new long[] {1})
                .linear("interleaved", "hidden", withZeroRows, null, d, 2 * n)
                .node("Reshape", "z", List.of("interleaved", "pairs"))
                .node("LogSoftmax", "log_softmax", List.of("z"), Map.of("axis", -1))
                .node("Gather", "negative", List.of("log_softmax", "second"), Map.of("axis", 2))
                .node("Sub", "output", List.of("floor", "negative"))
                .toBytes();
    }

    /**
     * A hash router (Roller 2021): the logit is 1 for the expert that the table assigns to the id
     * of the token, and 0 for all others. The router reads the token's own values [batch,
     * inputWidth], one of which is the id: an integer from 0 to V - 1, below 2^24, since float32
     * represents larger integers inexactly. The run fails for any other id.
     *
     * @param table the expert of each id [V]
     * @param column the index of the id among the values
     */
    public static byte[] hash(int[] table, int column, int inputWidth, int n) {
        requireColumn(column, inputWidth);
        float[] experts = new float[table.length];
        for (int id = 0; id < table.length; id++) {
            if (table[id] < 0 || table[id] >= n) {
                throw new IllegalArgumentException(
                        "table assigns expert %2$d to id %1$d; allowed: experts 0 to %3$d"
                                .formatted(id, table[id], n - 1));
            }
            experts[id] = table[id];
        }
        float[] all = new float[n];
        for (int expert = 0; expert < n; expert++) {
            all[expert] = expert;
        }
        // ONNX counts negative indices from the end. A negative id becomes V, which is invalid.
        return new OnnxGraph("hash")
                .input("token", inputWidth)
                .output("logits", n)
                .weights("table", experts, table.length)
                .weights("experts", all, 1, n)
                .weights("zero", new float[1])
                .weights("none", new float[] {table.length})
                .integers("column", new long[] {column}, 1)
                .node("Gather", "value", List.of("token", "column"), Map.of("axis", 1))
                .node("Less", "is_negative", List.of("value", "zero"))
                .node("Where", "checked", List.of("is_negative", "none", "value"))
                .node("Cast", "id", List.of("checked"), Map.of("to", OnnxGraph.INT64))
                .node("Gather", "expert", List.of("table", "id"))
                .node("Equal", "chosen", List.of("expert", "experts"))
                .node("Cast", "logits", List.of("chosen"), Map.of("to", OnnxGraph.FLOAT))
                .toBytes();
    }

    /**
     * An encoder that drops one value of a token, such as the id that a {@link #hash} router reads:
     * {@code token} [batch, inputWidth] → {@code hidden} [batch, inputWidth - 1].
     */
    public static byte[] dropColumn(int column, int inputWidth) {
        requireColumn(column, inputWidth);
        long[] kept =
                IntStream.range(0, inputWidth).filter(i -> i != column).asLongStream().toArray();
        return new OnnxGraph("drop_column")
                .input("token", inputWidth)
                .output("hidden", kept.length)
                .integers("kept", kept, kept.length)
                .node("Gather", "hidden", List.of("token", "kept"), Map.of("axis", 1))
                .toBytes();
    }

    /**
     * The expert scale of DeepSpeed's residual MoE: {@code output} [batch, 1] = c[0] with c =
     * softmax(x coefWeightᵀ + coefBias). The dense MLP is multiplied by c[1].
     *
     * @param coefWeight [2, d]
     * @param coefBias [2]
     */
    public static byte[] residualScale(float[] coefWeight, float[] coefBias, int d) {
        OnnxGraph graph = new OnnxGraph("residual_scale").input("hidden", d).output("output", 1);
        return mixNodes(graph, "output", 0, coefWeight, coefBias, d).toBytes();
    }

    /** Adds {@code output} [batch, 1] = softmax(hidden weightᵀ + bias)[which] over two values. */
    static OnnxGraph mixNodes(
            OnnxGraph graph, String output, int which, float[] weight, float[] bias, int d) {
        return graph.linear("coef", "hidden", weight, bias, d, 2)
                .integers("which", new long[] {which}, 1)
                .node("Softmax", "mix", List.of("coef"), Map.of("axis", -1))
                .node("Gather", output, List.of("mix", "which"), Map.of("axis", 1));
    }

    private static OnnxGraph router(String name, int n, int d) {
        return new OnnxGraph(name).input("hidden", d).output("logits", n);
    }

    private static void requireColumn(int column, int inputWidth) {
        if (column < 0 || column >= inputWidth) {
            throw new IllegalArgumentException(
                    "column is %d; allowed: 0 to %d, since tokens have %d values"
                            .formatted(column, inputWidth - 1, inputWidth));
        }
    }
}
