// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.OnnxGraph;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The router of a DSelect-k gate (Hazimeh et al. 2021), as the golden README defines it: [batch, d]
 * → log of the weights [batch, n], minus infinity where a weight is 0. A dense softmax gate gives
 * the weights back.
 *
 * @param prefix the beginning of the gate's tensors
 */
record DselectK(GoldenCase golden, String prefix, JsonNode spec) {

    OnnxGraph graph() {
        int k = spec.path("num_nonzeros").asInt();
        int n = spec.path("experts").size();
        int bits = Integer.numberOfTrailingZeros(n);
        double gamma = spec.path("gamma").asDouble();
        OnnxGraph graph = new OnnxGraph("dselect_k").output("logits", n);
        String u = hiddenLayers(graph);
        linear(graph, "z", u, "selectors.");
        linear(graph, "mix", u, "mix.");
        smoothStep(graph, gamma);
        graph.weights("one", new float[] {1})
                .node("Sub", "not", List.of("one", "step"))
                .node("Concat", "both", List.of("step", "not"), Map.of("axis", 1))
                .node("Softmax", "shares", List.of("mix"), Map.of("axis", 1));
        List<String> factors = new ArrayList<>();
        for (int bit = 0; bit < bits; bit++) {
            gather(graph, "bit." + bit, "both", columns(k, n, bits, bit));
            factors.add("bit." + bit);
        }
        long[] selectors = new long[k * n];
        for (int i = 0; i < selectors.length; i++) {
            selectors[i] = i / n;
        }
        gather(graph, "share", "shares", selectors);
        String product = "share";
        for (String factor : factors) {
            graph.node("Mul", product + "." + factor, List.of(product, factor));
            product = product + "." + factor;
        }
        return graph.linear("weights", product, sums(k, n), null, k * n, n)
                .node("Log", "logits", List.of("weights"));
    }

    /** Declares the input and adds the hidden layers, if any; returns what the selectors read. */
    private String hiddenLayers(OnnxGraph graph) {
        int count = spec.path("activations").size();
        graph.input(
                "input", golden.shape(prefix + (count > 0 ? "layers.0." : "mix.") + "weight")[1]);
        String u = "input";
        for (int layer = 0; layer < count; layer++) {
            String activation = spec.path("activations").get(layer).asText();
            String sum = "sum." + layer;
            linear(graph, sum, u, "layers." + layer + ".");
            u = "hidden." + layer;
            Activation.valueOf(activation.toUpperCase(Locale.ROOT)).addTo(graph, u, sum);
        }
        return u;
    }

    private void linear(OnnxGraph graph, String output, String input, String name) {
        int[] shape = golden.shape(prefix + name + "weight");
        String bias = prefix + name + "bias";
        graph.linear(
                output,
                input,
                golden.floats(prefix + name + "weight"),
                golden.hasTensor(bias) ? golden.floats(bias) : null,
                shape[1],
                shape[0]);
    }

    /**
     * step = 0 for z <= -g/2, 1 for z >= g/2, else -2z^3/g^3 + 3z/(2g) + 1/2, which in float32 can
     * be a little outside of [0, 1] near the ends.
     */
    private static void smoothStep(OnnxGraph graph, double gamma) {
        graph.weights("low", new float[] {(float) (-gamma / 2)})
                .weights("high", new float[] {(float) (gamma / 2)})
                .weights("cubic", new float[] {(float) (-2 / (gamma * gamma * gamma))})
                .weights("linear", new float[] {(float) (3 / (2 * gamma))})
                .weights("half", new float[] {0.5f})
                .weights("zero", new float[] {0})
                .weights("full", new float[] {1})
                .node("Mul", "z2", List.of("z", "z"))
                .node("Mul", "z3", List.of("z2", "z"))
                .node("Mul", "c3", List.of("z3", "cubic"))
                .node("Mul", "c1", List.of("z", "linear"))
                .node("Add", "c", List.of("c3", "c1"))
                .node("Add", "inside", List.of("c", "half"))
                .node("LessOrEqual", "isLow", List.of("z", "low"))
                .node("GreaterOrEqual", "isHigh", List.of("z", "high"))
                .node("Where", "notLow", List.of("isLow", "zero", "inside"))
                .node("Where", "rounded", List.of("isHigh", "full", "notLow"))
                .node("Clip", "step", List.of("rounded", "zero", "full"));
    }

    private static void gather(OnnxGraph graph, String output, String from, long[] columns) {
        graph.integers(output + ".columns", columns, columns.length)
                .node("Gather", output, List.of(from, output + ".columns"), Map.of("axis", 1));
    }

    /** For selector j and expert i: the step of a bit where i has it, else 1 minus it. */
    private static long[] columns(int k, int n, int bits, int bit) {
        long[] columns = new long[k * n];
        for (int j = 0; j < k; j++) {
            for (int i = 0; i < n; i++) {
                boolean isSet = (i >> bits - 1 - bit & 1) == 1; // the highest bit first
                columns[j * n + i] = j * bits + bit + (isSet ? 0 : k * bits);
            }
        }
        return columns;
    }

    /** [n, k·n], the sum over the selectors. */
    private static float[] sums(int k, int n) {
        float[] matrix = new float[n * k * n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < k; j++) {
                matrix[i * k * n + j * n + i] = 1;
            }
        }
        return matrix;
    }
}
