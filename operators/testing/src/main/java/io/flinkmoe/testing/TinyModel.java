package io.flinkmoe.testing;

import io.flinkmoe.routing.RoutingConfig;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * What a tiny bundle contains.
 *
 * @param routing of every layer
 * @param identityRouter whether the hidden vector itself is the logits
 * @param experts the model of every expert; null for random weights
 * @param expertsByNumber the experts that have another model
 * @param encoder an ONNX model; null for a linear one, or none where the widths are the same
 */
@Internal
record TinyModel(
        RoutingConfig routing,
        int layers,
        int inputSize,
        int hiddenSize,
        int outputSize,
        boolean identityRouter,
        ExpertModel experts,
        Map<Integer, ExpertModel> expertsByNumber,
        byte[] encoder,
        long seed) {}
