package io.flinkmoe.model;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The ONNX models of a layer, made from a checkpoint's weights. Linear layers keep the checkpoint's
 * layout [out, in], row-major. The input is {@code hidden} [batch, d], all values are float32.
 */
public final class ExpertGraphs {
    private static final Map<String, Integer> TRANSPOSED = Map.of("transB", 1);

    private ExpertGraphs() {}

    /**
     * A SwiGLU expert: {@code output} [batch, d] = (silu(x w1ᵀ) * (x w3ᵀ)) w2ᵀ.
     *
     * @param w1 the gate projection [h, d]
     * @param w3 the up projection [h, d]
     * @param w2 the down projection [d, h]
     * @return the bytes of an ONNX file
     */
    public static byte[] swiGlu(float[] w1, float[] w3, float[] w2, int d, int h) {
        return new OnnxGraph("swiglu")
                .input("hidden", d)
                .output("output", d)
                .weights("w1", w1, h, d)
                .weights("w3", w3, h, d)
                .weights("w2", w2, d, h)
                .node("Gemm", "gate", List.of("hidden", "w1"), TRANSPOSED)
                .node("Sigmoid", "sigmoid", List.of("gate"))
                .node("Mul", "silu", List.of("gate", "sigmoid"))
                .node("Gemm", "up", List.of("hidden", "w3"), TRANSPOSED)
                .node("Mul", "inner", List.of("silu", "up"))
                .node("Gemm", "output", List.of("inner", "w2"), TRANSPOSED)
                .toBytes();
    }

    /**
     * A linear router: {@code logits} [batch, N] = x weightᵀ.
     *
     * @param weight [N, d]
     * @return the bytes of an ONNX file
     */
    public static byte[] router(float[] weight, int n, int d) {
        return new OnnxGraph("router")
                .input("hidden", d)
                .output("logits", n)
                .weights("weight", weight, n, d)
                .node("Gemm", "logits", List.of("hidden", "weight"), TRANSPOSED)
                .toBytes();
    }

    /**
     * Root mean square normalisation: {@code output} [batch, d] = weight * x / sqrt(mean(x²) +
     * eps).
     *
     * <p>The sum of squares is a product with a column of ones: ReduceMean adds up in an order that
     * depends on where a row lies in memory unless d is a multiple of 4, so that a token's bits
     * would depend on its batch.
     *
     * @param weight [d]
     * @return the bytes of an ONNX file
     */
    public static byte[] rmsNorm(float[] weight, int d, float eps) {
        float[] ones = new float[d];
        Arrays.fill(ones, 1);
        return new OnnxGraph("rms_norm")
                .input("hidden", d)
                .output("output", d)
                .weights("weight", weight, d)
                .weights("eps", new float[] {eps})
                .weights("ones", ones, 1, d)
                .weights("d", new float[] {d})
                .node("Mul", "square", List.of("hidden", "hidden"))
                .node("Gemm", "sum", List.of("square", "ones"), TRANSPOSED)
                .node("Div", "mean", List.of("sum", "d"))
                .node("Add", "shifted", List.of("mean", "eps"))
                .node("Sqrt", "root", List.of("shifted"))
                .node("Div", "normal", List.of("hidden", "root"))
                .node("Mul", "output", List.of("normal", "weight"))
                .toBytes();
    }
}
