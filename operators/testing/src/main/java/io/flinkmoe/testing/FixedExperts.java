// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/** Experts whose outputs a test can predict. */
@PublicEvolving
public final class FixedExperts {

    private FixedExperts() {}

    /** Expert e returns (e + 1) · x, so each output shows which expert executed the token. */
    public static ExpertModel numbered() {
        return (expert, width) -> scaled(expert + 1f, width);
    }

    /** Returns factor · x. */
    public static ExpertModel scaling(float factor) {
        return (expert, width) -> scaled(factor, width);
    }

    /**
     * Returns the same vector for every token.
     *
     * @param output a vector of the hidden size, or one value for all its elements
     */
    public static ExpertModel constant(float... output) {
        return (expert, width) -> {
            float[] vector = output;
            if (output.length == 1) {
                vector = new float[width];
                Arrays.fill(vector, output[0]);
            }
            if (vector.length != width) {
                throw new IllegalArgumentException(
                        "the output has %d values; allowed: 1 or the hidden size, %d"
                                .formatted(vector.length, width));
            }
            return ExpertGraphs.constant(vector);
        };
    }

    /** Returns the number of rows of the call, in every element. */
    public static ExpertModel countingRows() {
        return (expert, width) ->
                graph("counting", width)
                        .weights("zero", new float[1])
                        .weights("one", new float[] {1})
                        .integers("rows", new long[1], 1)
                        .node("Mul", "zeros", List.of("hidden", "zero"))
                        .node("Add", "ones", List.of("zeros", "one"))
                        .node("ReduceSum", "count", List.of("ones", "rows"))
                        .node("Add", "output", List.of("zeros", "count"))
                        .toBytes();
    }

    /** The model can be opened but throws on every call. */
    public static ExpertModel failing() {
        // An element-wise product of matrices with different numbers of rows throws.
        return (expert, width) ->
                graph("failing", width)
                        .weights("two_rows", new float[2 * width], 2, width)
                        .node("Concat", "rows", List.of("hidden", "two_rows"), Map.of("axis", 0))
                        .node("Mul", "output", List.of("rows", "hidden"))
                        .toBytes();
    }

    /** Returns NaN, so the choices of its tokens fail. */
    public static ExpertModel notANumber() {
        return (expert, width) ->
                graph("not_a_number", width)
                        .weights("nan", new float[] {Float.NaN})
                        .node("Add", "output", List.of("hidden", "nan"))
                        .toBytes();
    }

    private static byte[] scaled(float factor, int width) {
        return graph("scaling", width)
                .weights("factor", new float[] {factor})
                .node("Mul", "output", List.of("hidden", "factor"))
                .toBytes();
    }

    private static OnnxGraph graph(String name, int width) {
        return new OnnxGraph(name).input("hidden", width).output("output", width);
    }
}
