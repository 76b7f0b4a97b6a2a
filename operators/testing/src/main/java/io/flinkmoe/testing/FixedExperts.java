package io.flinkmoe.testing;

import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.model.OnnxGraph;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;

/** Experts whose answers a test can predict. */
@PublicEvolving
public final class FixedExperts {

    private FixedExperts() {}

    /** Expert e answers (e + 1) · x, so each answer shows which expert executed the token. */
    public static ExpertModel numbered() {
        return (expert, width) -> scaled(expert + 1f, width);
    }

    /** Answers factor · x. */
    public static ExpertModel scaling(float factor) {
        return (expert, width) -> scaled(factor, width);
    }

    /**
     * Answers the same vector for every token.
     *
     * @param answer a vector of the hidden size, or one value for all its elements
     */
    public static ExpertModel constant(float... answer) {
        return (expert, width) -> {
            float[] vector = answer;
            if (answer.length == 1) {
                vector = new float[width];
                Arrays.fill(vector, answer[0]);
            }
            if (vector.length != width) {
                throw new IllegalArgumentException(
                        "the answer has %d values; allowed: 1 or the hidden size, %d"
                                .formatted(vector.length, width));
            }
            return ExpertGraphs.constant(vector);
        };
    }

    /** Answers the number of rows of the call, in every element. */
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

    /** Throws on every call; the model can be opened. */
    public static ExpertModel failing() {
        // Two matrices of different heights cannot be multiplied by element.
        return (expert, width) ->
                graph("failing", width)
                        .weights("two_rows", new float[2 * width], 2, width)
                        .node("Concat", "rows", List.of("hidden", "two_rows"), Map.of("axis", 0))
                        .node("Mul", "output", List.of("rows", "hidden"))
                        .toBytes();
    }

    /** Answers NaN. The choices of its tokens fail. */
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
