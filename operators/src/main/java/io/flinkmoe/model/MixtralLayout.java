package io.flinkmoe.model;

import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;

/**
 * Where a Mixtral checkpoint keeps its MoE layers, and what its config.json says of them. The
 * attention blocks between them are not read.
 */
final class MixtralLayout {
    static final String MODEL_TYPE = "mixtral";

    private final Checkpoint checkpoint;
    private final int hiddenSize;
    private final int intermediateSize;
    private final int numLayers;
    private final RoutingConfig routing;

    MixtralLayout(Checkpoint checkpoint) throws CheckpointException {
        this.checkpoint = checkpoint;
        if (!checkpoint.text("hidden_act", "silu").equals("silu")) {
            throw checkpoint.badConfig(
                    "hidden_act", "\"silu\", the only activation of " + MODEL_TYPE);
        }
        hiddenSize = checkpoint.positiveInt("hidden_size");
        intermediateSize = checkpoint.positiveInt("intermediate_size");
        numLayers = checkpoint.positiveInt("num_hidden_layers");
        int numExperts = checkpoint.positiveInt("num_local_experts");
        int topK = checkpoint.positiveInt("num_experts_per_tok");
        if (topK > numExperts) {
            throw checkpoint.badConfig(
                    "num_experts_per_tok", "1 to num_local_experts, which is " + numExperts);
        }
        routing = RoutingConfig.mixtral(numExperts, topK);
    }

    int hiddenSize() {
        return hiddenSize;
    }

    int numLayers() {
        return numLayers;
    }

    RoutingConfig routing() {
        return routing;
    }

    /** The norm of a layer as an ONNX model, or null if the layer has none. */
    byte[] norm(int layer) throws IOException {
        String name = "model.layers.%d.post_attention_layernorm.weight".formatted(layer);
        if (!checkpoint.contains(name)) {
            return null;
        }
        float eps = checkpoint.positiveFloat("rms_norm_eps", 1e-5f);
        return ExpertGraphs.rmsNorm(checkpoint.floats(name, hiddenSize), hiddenSize, eps);
    }

    /** The router of a layer as an ONNX model. */
    byte[] router(int layer) throws IOException {
        int n = routing.numExperts();
        float[] weight = checkpoint.floats(moe(layer) + "gate.weight", n, hiddenSize);
        return RouterGraphs.linear(weight, n, hiddenSize);
    }

    /** One expert of a layer as an ONNX model. */
    byte[] expert(int layer, int expert) throws IOException {
        String name = "%sexperts.%d.".formatted(moe(layer), expert);
        return ExpertGraphs.gated(
                Activation.SILU,
                checkpoint.floats(name + "w1.weight", intermediateSize, hiddenSize),
                checkpoint.floats(name + "w3.weight", intermediateSize, hiddenSize),
                checkpoint.floats(name + "w2.weight", hiddenSize, intermediateSize),
                hiddenSize,
                intermediateSize);
    }

    private static String moe(int layer) {
        return "model.layers.%d.block_sparse_moe.".formatted(layer);
    }
}
