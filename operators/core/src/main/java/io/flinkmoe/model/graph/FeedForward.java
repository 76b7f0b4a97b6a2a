// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import io.flinkmoe.tensor.FloatBlocks;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * A feed-forward network as nodes of a graph: an expert, a shared expert or a dense branch. Its
 * matrices are [out, in], row-major; a bias may be null.
 */
@Internal
public sealed interface FeedForward {

    /** Adds the nodes of {@code y} = network({@code x}); other names begin with the prefix. */
    OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x);

    /** The width of x. */
    int in();

    /** The width of y. */
    int out();

    /** What the graph of this network is called. */
    String name();

    /** What it computes, for people. */
    String description();

    /** A graph of this network alone: {@code hidden} [batch, in] → {@code output} [batch, out]. */
    default OnnxGraph graph(WeightType type) {
        OnnxGraph graph = new OnnxGraph(name()).storing(type).describedAs(description());
        graph.input("hidden", in()).output("output", out());
        return addTo(graph, "", "output", "hidden");
    }

    private static String sizes(String form, int in, int inner, boolean biased) {
        return "%s %d → %d%s".formatted(form, in, inner, biased ? " with biases" : "");
    }

    /**
     * A linear layer.
     *
     * @param weight [out, in]
     * @param bias [out], or null for none
     */
    record Linear(FloatBlocks weight, float[] bias, int in, int out) {

        OnnxGraph addTo(OnnxGraph graph, String y, String x) {
            return graph.linear(y, x, weight, bias, in, out);
        }
    }

    /** down(act(gate(x)) · up(x)): the SwiGLU of most models, with SILU. */
    record Gated(Activation activation, Linear gate, Linear up, Linear down)
            implements FeedForward {

        @Override
        public String name() {
            return "gated";
        }

        @Override
        public String description() {
            String form = activation == Activation.SILU ? "SwiGLU" : activation + "-gated";
            return sizes(form, in(), gate.out, gate.bias != null);
        }

        @Override
        public OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x) {
            gate.addTo(graph, prefix + "w1", x);
            up.addTo(graph, prefix + "w3", x);
            activation
                    .addTo(graph, prefix + "act", prefix + "w1")
                    .node("Mul", prefix + "inner", List.of(prefix + "act", prefix + "w3"));
            return down.addTo(graph, y, prefix + "inner");
        }

        @Override
        public int in() {
            return gate.in;
        }

        @Override
        public int out() {
            return down.out;
        }
    }

    /**
     * The clamped SwiGLU of gpt-oss (transformers' {@code models/gpt_oss}): with g = min(gate(x),
     * limit) and u = clip(up(x), -limit, limit), down(g · sigmoid(alpha · g) · (u + 1)).
     */
    record Clamped(float alpha, float limit, Linear gate, Linear up, Linear down)
            implements FeedForward {

        @Override
        public String name() {
            return "clamped";
        }

        @Override
        public String description() {
            String form = "clamped SwiGLU (alpha %s, limit %s)".formatted(alpha, limit);
            return sizes(form, in(), gate.out, gate.bias != null);
        }

        @Override
        public OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x) {
            gate.addTo(graph, prefix + "w1", x);
            up.addTo(graph, prefix + "w3", x);
            graph.weights(prefix + "limit", new float[] {limit})
                    .weights(prefix + "lowest", new float[] {-limit})
                    .weights(prefix + "alpha", new float[] {alpha})
                    .weights(prefix + "one", new float[] {1})
                    .node("Min", prefix + "g", List.of(prefix + "w1", prefix + "limit"))
                    .node("Min", prefix + "u.most", List.of(prefix + "w3", prefix + "limit"))
                    .node("Max", prefix + "u", List.of(prefix + "u.most", prefix + "lowest"))
                    .node("Mul", prefix + "scaled", List.of(prefix + "g", prefix + "alpha"))
                    .node("Sigmoid", prefix + "sigmoid", List.of(prefix + "scaled"))
                    .node("Mul", prefix + "act", List.of(prefix + "g", prefix + "sigmoid"))
                    .node("Add", prefix + "u.one", List.of(prefix + "u", prefix + "one"))
                    .node("Mul", prefix + "inner", List.of(prefix + "act", prefix + "u.one"));
            return down.addTo(graph, y, prefix + "inner");
        }

        @Override
        public int in() {
            return gate.in;
        }

        @Override
        public int out() {
            return down.out;
        }
    }

    /** scale · last(act(first(x))). */
    record Plain(Activation activation, Linear first, Linear last, float scale)
            implements FeedForward {

        @Override
        public String name() {
            return "plain";
        }

        @Override
        public String description() {
            String form = "%s MLP%s".formatted(activation, scale == 1 ? "" : " times " + scale);
            return sizes(form, in(), first.out, first.bias != null);
        }

        @Override
        public OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x) {
            first.addTo(graph, prefix + "wi", x);
            activation.addTo(graph, prefix + "act", prefix + "wi");
            if (scale == 1) {
                return last.addTo(graph, y, prefix + "act");
            }
            return last.addTo(graph, prefix + "mlp", prefix + "act")
                    .weights(prefix + "scale", new float[] {scale})
                    .node("Mul", y, List.of(prefix + "mlp", prefix + "scale"));
        }

        @Override
        public int in() {
            return first.in;
        }

        @Override
        public int out() {
            return last.out;
        }
    }

    /** sigmoid(gate(x)) · network(x), with one value of the gate per token (Qwen2-MoE). */
    record WithGate(Linear share, FeedForward network) implements FeedForward {

        @Override
        public String name() {
            return "shared_with_gate";
        }

        @Override
        public String description() {
            return "gated " + network.description();
        }

        @Override
        public OnnxGraph addTo(OnnxGraph graph, String prefix, String y, String x) {
            share.addTo(graph, prefix + "gate", x)
                    .node("Sigmoid", prefix + "share", List.of(prefix + "gate"));
            return network.addTo(graph, prefix, prefix + "mlp", x)
                    .node("Mul", y, List.of(prefix + "mlp", prefix + "share"));
        }

        @Override
        public int in() {
            return network.in();
        }

        @Override
        public int out() {
            return network.out();
        }
    }
}
